import { type ChildProcess, spawn } from 'node:child_process';
import type { DnsResolver } from './configuration.js';

/** Milliseconds. */
const respawn = 500;

const program = '/usr/sbin/mDNSResponder';

/** Keeps mDNSResponder running, as launchd does, and hands it the resolvers. */
export function keepResponder(): {
  readonly tell: (resolvers: readonly DnsResolver[]) => void;
  /** Starts it, or another one in its place; resolves when it answers. */
  readonly start: () => Promise<void>;
} {
  let child: ChildProcess | null = null;
  let again: NodeJS.Timeout | undefined;
  let latest = '[]';

  const tell = (): void => void child?.stdin?.write(`${latest}\n`);

  function start(): Promise<void> {
    clearTimeout(again);
    const before = child;
    const started = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    child = started;
    before?.kill('SIGKILL');
    started.stdin.on('error', () => undefined);
    started.once('exit', () => {
      if (child === started) again = setTimeout(() => void start(), respawn);
    });
    tell();
    return new Promise((resolve) => {
      started.stdout.once('data', () => {
        resolve();
      });
    });
  }

  return {
    tell: (resolvers) => {
      latest = JSON.stringify(resolvers);
      tell();
    },
    start,
  };
}
