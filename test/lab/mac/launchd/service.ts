import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import type { Job } from './job.js';
import { respawnDelay, startsAgain, startsAtLoad, type Ending } from './respawn.js';

export type State = 'running' | 'not running' | 'spawn scheduled';

/** One loaded job. */
export interface Service {
  readonly job: Job;
  readonly state: () => State;
  readonly pid: () => number | null;
  readonly runs: () => number;
  readonly lastEnding: () => Ending | null;
  readonly load: () => void;
  /** Starts it when it does not run; `kill` ends the running one first. Resolves with the pid, null when it could not. */
  readonly kickstart: (kill: boolean) => Promise<number | null>;
  /** SIGTERM, SIGKILL after ExitTimeOut; never starts again. Resolves when it is gone. */
  readonly stop: () => Promise<void>;
}

/** What launchd reports for a program that it could not even start. */
const exConfig = 78;

const signalNumber = (signal: string): number => constants.signals[signal as NodeJS.Signals];

/** The status of `launchctl list`: the exit code, or the signal's number with a minus. */
export const listStatus = (ending: Ending | null): number =>
  ending === null ? 0 : ending.signal === null ? (ending.code ?? 0) : -signalNumber(ending.signal);

/** `LastExitStatus` of `launchctl list LABEL`: the raw wait status. */
export const waitStatus = (ending: Ending | null): number =>
  ending === null ? 0 : ending.signal === null ? (ending.code ?? 0) << 8 : signalNumber(ending.signal);

export interface ServiceWorld {
  readonly log: (line: string) => void;
  readonly loaded: (label: string) => boolean;
  readonly userOf: (name: string) => { uid: number; gid: number } | null;
  /** What every job finds in its environment besides launchd's own. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A job under launchd's care, from load to bootout. */
export function createService(job: Job, world: ServiceWorld): Service {
  const around = { exists: existsSync, loaded: world.loaded };
  let child: ChildProcess | null = null;
  let respawn: NodeJS.Timeout | null = null;
  let killer: NodeJS.Timeout | null = null;
  let startedAt = 0;
  let runs = 0;
  let last: Ending | null = null;
  let stopping = false;
  let restarting = false;
  let ends: (() => void)[] = [];

  const ended = (ending: Ending, group: number | null): void => {
    child = null;
    if (killer) clearTimeout(killer);
    killer = null;
    last = ending;
    // Unless AbandonProcessGroup: what is left of the group gets a SIGTERM; setsid children survive.
    if (group !== null && !job.abandonProcessGroup)
      try {
        process.kill(-group, 'SIGTERM');
      } catch {
        // nobody was left
      }
    for (const listener of ends) listener();
    ends = [];
    if (stopping || restarting || !startsAgain(job.keepAlive, ending, around)) return;
    const now = Date.now();
    const delay = respawnDelay(job.throttle, startedAt, now);
    if (delay > 0)
      world.log(
        `Service only ran for ${Math.floor((now - startedAt) / 1000)} seconds. Pushing respawn out by ${Math.ceil(delay / 1000)} seconds.`,
      );
    respawn = setTimeout(start, delay);
  };

  const output = (path: string | null): number | 'ignore' =>
    path === null ? 'ignore' : openSync(path, 'a', 0o644);

  function start(): void {
    if (respawn) clearTimeout(respawn);
    respawn = null;
    if (child || stopping) return;
    startedAt = Date.now();
    runs += 1;
    const files: (number | 'ignore')[] = [];
    const before = job.umask === null ? null : process.umask(job.umask);
    try {
      const user = job.userName === null ? null : world.userOf(job.userName);
      if (!job.program.startsWith('/') || (job.userName !== null && user === null))
        throw new Error(`cannot spawn ${job.program}`);
      files.push(output(job.stdoutPath));
      files.push(
        job.stderrPath === job.stdoutPath && files[0] !== undefined ? files[0] : output(job.stderrPath),
      );
      const born = spawn(job.program, job.args.slice(1), {
        argv0: job.args[0] ?? job.program,
        detached: true,
        cwd: job.workingDirectory ?? '/',
        env: {
          PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
          XPC_SERVICE_NAME: job.label,
          ...world.environment,
          ...job.environment,
        },
        stdio: ['ignore', files[0], files[1]] as const,
        ...(user ?? {}),
      });
      child = born;
      const group = born.pid ?? null;
      let over = false;
      born.once('error', (error) => {
        if (over || group !== null) return;
        over = true;
        world.log(`Service could not initialize: ${error.message}`);
        ended({ code: exConfig, signal: null }, null);
      });
      born.once('exit', (code, signal) => {
        if (over) return;
        over = true;
        if (code !== 0)
          world.log(
            signal === null
              ? `Service exited with abnormal code: ${String(code)}`
              : `Service exited due to ${signal}`,
          );
        ended({ code, signal }, group);
      });
    } catch (error) {
      world.log(`Service could not initialize: ${error instanceof Error ? error.message : String(error)}`);
      ended({ code: exConfig, signal: null }, null);
    } finally {
      for (const file of new Set(files)) if (typeof file === 'number') closeSync(file);
      if (before !== null) process.umask(before);
    }
  }

  /** Resolves when the running process is gone. */
  const end = (): Promise<void> => {
    const running = child;
    if (!running) return Promise.resolve();
    return new Promise((resolve) => {
      ends.push(resolve);
      running.kill('SIGTERM');
      // 0 is infinity (launchd.plist(5)).
      if (killer === null && job.exitTimeOut > 0)
        killer = setTimeout(() => {
          world.log(`Service did not exit ${job.exitTimeOut} seconds after SIGTERM. Sending SIGKILL.`);
          running.kill('SIGKILL');
        }, job.exitTimeOut * 1000);
    });
  };

  return {
    job,
    state: () => (child ? 'running' : respawn ? 'spawn scheduled' : 'not running'),
    pid: () => child?.pid ?? null,
    runs: () => runs,
    lastEnding: () => last,
    load: () => {
      if (startsAtLoad(job.runAtLoad, job.keepAlive, around)) start();
    },
    kickstart: async (kill) => {
      if (kill && child) {
        restarting = true;
        await end();
        restarting = false;
      }
      if (!child) start();
      return child?.pid ?? null;
    },
    stop: async () => {
      stopping = true;
      if (respawn) clearTimeout(respawn);
      respawn = null;
      await end();
    },
  };
}
