/** Attempts to open Node's inspector in a process, as whoever may signal it. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';

/** Whether the kernel has a TCP socket of this process that listens. */
function listens(pid: number): boolean {
  const inodes = execFileSync('/bin/ls', ['-l', `/proc/${pid}/fd`], { encoding: 'utf8' }).matchAll(
    /socket:\[(\d+)\]/g,
  );
  const mine = new Set([...inodes].map(([, inode]) => inode));
  return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some((fields) => fields[3] === '0A' && mine.has(fields[9]));
}

const uidOf = (pid: number): number =>
  Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Sends SIGUSR1 as `uid` a few times; what the process said on stderr, and whether it listened. */
export async function signalAs(
  uid: number,
  child: ChildProcess,
): Promise<{ said: string; listening: boolean }> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const pid = child.pid ?? 0;
  for (const end = Date.now() + 5000; uidOf(pid) !== uid && Date.now() < end;) await sleep(10);
  expect(uidOf(pid)).toBe(uid);
  let listening = false;
  for (let count = 0; count < 10; count += 1) {
    execFileSync('/usr/bin/perl', [
      '-e',
      `$( = $) = ${uid}; $< = $> = ${uid}; kill("USR1", ${pid}) == 1 or die`,
    ]);
    await sleep(50);
    listening ||= listens(pid);
  }
  return { said, listening };
}
