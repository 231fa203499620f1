/** File-system calls of a program, told, cut off and halted by strace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface Call {
  readonly name: string;
  /** What it names: `BASE/…`, or relative to where the process has gone. `PID` is its own. */
  readonly names: readonly string[];
  /** Which call of this name on what the program names it is in its thread: what strace's `when=` counts. */
  readonly nth: number;
  /** Whether it changes names, content or attributes, or puts them on the disk. */
  readonly changes: boolean;
}

export interface Program {
  readonly command: readonly string[];
  /** What it gets on stdin; it does nothing before that. */
  readonly input: string;
  /** The calls meant are those that touch what lies below this folder. */
  readonly base: string;
  /** Where strace writes. Two programs at a time need two. */
  readonly log: string;
  /** Whether the children that it starts are meant too. */
  readonly withChildren?: boolean;
}

export interface Traced {
  readonly calls: readonly Call[];
  readonly stdout: string;
}

/** The calls of a program that is to be run again and again, in their order. */
export interface Calls {
  readonly calls: readonly Call[];
  /** Every name in them. To strace no other call exists then, so that `when=` counts the same ones in every run. */
  readonly names: readonly string[];
}

const changing =
  /^(link|rename|unlink|mkdir|rmdir|symlink|p?write|f?truncate|f?chmod|f?chown|utime|fsync|fdatasync)/;

export const describeCall = ({ name, names }: Call): string => `${name} ${names.join(' ')}`;

function callsOn(trace: string, base: string): Call[] {
  const counts = new Map<string, number>();
  /** Threads that have gone there and use relative names. */
  const inside = new Set<string>();
  return trace.split('\n').flatMap((line): Call[] => {
    const [, thread = '', name = '', rest = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? [];
    if (name === '') return [];
    // What is read and written is no name.
    const named = /^p?(read|write)/.test(name)
      ? (/^\d+<[^>]*>/.exec(rest)?.[0] ?? '')
      : rest.replace(/\) += .*$/, '');
    const names = [...named.matchAll(/"((?:[^"\\]|\\.)*)"|(?<!AT_FDCWD)<(\/[^>]*)>/g)]
      .map(([, quoted, path]) => quoted ?? path ?? '')
      .filter((word) => word.startsWith(base) || (inside.has(thread) && /^[^/]/.test(word)));
    if (names.length === 0) return [];
    if (name === 'chdir') inside.add(thread);
    const nth = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, nth);
    return [
      {
        name,
        names: names.map((word) => word.replace(base, 'BASE')),
        nth,
        changes: changing.test(name) || (name.startsWith('open') && /O_(WRONLY|RDWR|CREAT)/.test(rest)),
      },
    ];
  });
}

/** Whether the process (its main thread) sleeps; it may go on by itself. */
const sleeps = (pid: number): boolean => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') S ');

interface Tracing {
  readonly pid: number;
  /** What strace has written so far. */
  readonly said: () => string;
  readonly ended: Promise<{ text: string; stdout: string }>;
  readonly running: () => boolean;
}

/** Starts it, and gives it its input once it is traced. */
async function strace(
  program: Program,
  options: readonly string[],
  names: readonly string[],
): Promise<Tracing> {
  const [file = '', ...args] = program.command;
  rmSync(program.log, { force: true });
  const child = spawn(file, args, {
    // One thread for node's own file-system calls: the same order in every run.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    cwd: dirname(program.log),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { pid = 0 } = child;
  let stdout = '';
  child.stdout.on('data', (data) => (stdout += String(data)));
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  // For speed alone: what node loads before it asks for its input need not be traced.
  for (let asleep = 0; asleep < 2; asleep = sleeps(pid) ? asleep + 1 : 0) await pause(10);
  const scope = program.withChildren === true ? [] : ['-b', 'execve'];
  const only = names.flatMap((name) => [
    '-P',
    name.replace('BASE', program.base).replace('PID', String(pid)),
  ]);
  const tracer = spawn(
    'strace',
    ['-f', '-y', '-s', '200', '-o', program.log, ...scope, ...only, ...options, '-p', String(pid)],
    { cwd: dirname(program.log), stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  await new Promise<void>((resolve, reject) => {
    tracer.stderr.on('data', (data) => {
      complaints += String(data);
      if (complaints.includes(' attached')) resolve();
    });
    tracer.on('error', reject).on('close', () => {
      reject(new Error(`strace ended at once: ${complaints}`));
    });
  });
  const said = (): string => readFileSync(program.log, 'utf8').replaceAll(`tuntapd-${pid}`, 'tuntapd-PID');
  const ended = Promise.all([once(child, 'close'), once(tracer, 'close')]).then(() => ({
    text: said(),
    stdout,
  }));
  child.stdin.end(program.input);
  return { pid, said, ended, running };
}

/** Runs it; every call that touches what lies below `base`. */
export async function trace(program: Program): Promise<Traced> {
  const { text, stdout } = await (await strace(program, ['-e', 'trace=%file,%desc'], [])).ended;
  return { calls: callsOn(text, program.base), stdout };
}

/** The names in these calls, for `enumerate`. */
export const namesIn = (calls: readonly Call[]): string[] => [
  ...new Set(calls.flatMap(({ names }) => names)),
];

/** Runs it; the calls on these names, counted as strace counts them. */
export async function enumerate(program: Program, names: readonly string[]): Promise<Calls> {
  const { text } = await (await strace(program, ['-e', 'trace=%file,%desc'], names)).ended;
  return { calls: callsOn(text, program.base), names };
}

const inject = (call: Call, signal: string): string[] => [
  ...['-e', `trace=chdir,${call.name}`, '-e', 'signal=STOP'],
  ...['-e', `inject=${call.name}:signal=${signal}:when=${call.nth}`],
];

function checkLast(text: string, call: Call, { base }: Program, end: RegExp): void {
  const [before = '', ...others] = text.split(end);
  const last = callsOn(before, base).at(-1);
  if (others.length === 0 || !last || describeCall(last) !== describeCall(call))
    throw new Error(`${describeCall(call)} was missed:\n${text}`);
}

/** Runs it and kills it as it enters `call`, which is not carried out. Throws when it did not come to that call. */
export async function killBefore(call: Call, { names }: Calls, program: Program): Promise<void> {
  const { text } = await (await strace(program, inject(call, 'KILL'), names)).ended;
  checkLast(text, call, program, /(?<= = \?)\n/);
}

const halted = /^\d+ +--- stopped by SIGSTOP/m;

/**
 * Runs it, and halts it after `call` while `meanwhile` is done, which is told its process id. Its output. Throws when it
 * did not come to that call, or took a minute; then it is killed.
 */
export async function haltAfter(
  call: Call,
  { names }: Calls,
  program: Program,
  meanwhile: (pid: number) => void,
): Promise<string> {
  const { pid, said, ended, running } = await strace(program, inject(call, 'STOP'), names);
  let stalled = false as boolean;
  const timer = setTimeout(() => {
    stalled = process.kill(pid, 'SIGKILL');
  }, 60_000);
  try {
    while (running() && !halted.test(said())) await pause(5);
    try {
      checkLast(said(), call, program, halted);
      meanwhile(pid);
    } finally {
      if (running()) process.kill(pid, 'SIGCONT');
    }
    const { stdout, text } = await ended;
    if (stalled) throw new Error(`it stalled after ${describeCall(call)}:\n${text}`);
    return stdout;
  } finally {
    clearTimeout(timer);
  }
}
