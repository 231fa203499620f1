import type { ChildProcess } from 'node:child_process';
import { execa } from 'execa';

/** The only environment that the daemon and its children see: launchd's own PATH, no locale, no time zone. */
export const cleanEnvironment = {
  PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  TZ: 'UTC0',
} as const;

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** A command that could not be run, ran too long or was killed. A non-zero exit alone is no error: see `run`. */
export class CommandError extends Error {
  /** Resolves when a command that no signal ends has ended after all; null of the others, which have. */
  readonly ended: Promise<void> | null;
  constructor(message: string, options?: { cause?: unknown; ended?: Promise<void> }) {
    super(message, options);
    this.name = 'CommandError';
    this.ended = options?.ended ?? null;
  }
}

/** A command line as a person would type it. */
export const commandLine = (file: string, args: readonly string[]): string =>
  [file, ...args]
    .map((word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');

/** Milliseconds from SIGTERM to SIGKILL, and from a command's end to that of its output. */
const gracePeriod = 1000;

/** Null once a command should have ended long ago; from then on it keeps nobody from ending either. */
function immortal(
  child: Pick<ChildProcess, 'stdin' | 'stdout' | 'stderr' | 'unref' | 'once'>,
  timeout: number,
): Promise<null> {
  return new Promise((resolve) => {
    const deadline = setTimeout(
      () => {
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
        child.unref();
        resolve(null);
      },
      timeout + 2 * gracePeriod,
    );
    child.once('exit', () => {
      clearTimeout(deadline);
    });
  });
}

/**
 * Runs a command by absolute path: no shell, clean environment (or `env`), nothing on stdin (or `input`), 1 MiB of
 * output at the most (or `maxOutput` bytes), `timeout` in ms (10 s). Returns whatever exit code it had, since on macOS that alone says little
 * (`route` exits 0 when the kernel refused, route.c). Throws CommandError when it could not start, ended by a
 * signal or took too long: then it gets a SIGTERM, which sudo hands on to what it runs, and at last a SIGKILL. Neither
 * what it leaves behind with its output open (an osascript that hangs) is waited for, nor a command that no signal ends
 * (it sleeps in the kernel, on a disk that does not answer).
 */
export async function run(
  file: string,
  args: readonly string[],
  options: {
    timeout?: number;
    maxOutput?: number;
    input?: string;
    signal?: AbortSignal;
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<CommandResult> {
  const timeout = options.timeout ?? 10_000;
  const child = execa(file, args, {
    reject: false,
    extendEnv: false,
    env: options.env ?? cleanEnvironment,
    cwd: '/',
    timeout,
    forceKillAfterDelay: gracePeriod,
    maxBuffer: options.maxOutput ?? 1_048_576,
    stripFinalNewline: false,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  child.once('exit', () => {
    const closing = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, gracePeriod);
    child.once('close', () => {
      clearTimeout(closing);
    });
  });
  const result = await Promise.race([child, immortal(child, timeout)]);
  if (result === null)
    throw new CommandError(
      `${commandLine(file, args)}: took longer than ${timeout / 1000} s, and no signal ends it`,
      { ended },
    );
  if (result.exitCode === undefined || result.timedOut) {
    const what = result.timedOut ? `took longer than ${timeout / 1000} s` : result.shortMessage;
    throw new CommandError(`${commandLine(file, args)}: ${what}`, { cause: result.cause });
  }
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
}

/** Runs commands as `run` does, for callers that are given it. */
export type Run = typeof run;
