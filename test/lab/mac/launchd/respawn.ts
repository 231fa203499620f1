import type { KeepAlive } from './job.js';

/** How a job's process ended. */
export interface Ending {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** What decides besides the ending, looked up by whoever asks. */
export interface Surroundings {
  readonly exists: (path: string) => boolean;
  readonly loaded: (label: string) => boolean;
}

/** A signal that macOS makes a crash report for; SIGKILL and SIGTERM are none (seen on macOS 15). */
const crashes = new Set(['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS', 'SIGQUIT']);

/** Whether launchd starts the job again after this ending (launchd.plist(5), KeepAlive). */
export function startsAgain(keepAlive: KeepAlive, ending: Ending, around: Surroundings): boolean {
  if (typeof keepAlive === 'boolean') return keepAlive;
  const { SuccessfulExit, Crashed, PathState, OtherJobEnabled } = keepAlive;
  const wanted = [
    ...(SuccessfulExit === undefined ? [] : [(ending.code === 0) === SuccessfulExit]),
    ...(Crashed === undefined ? [] : [crashes.has(ending.signal ?? '') === Crashed]),
    ...Object.entries(PathState ?? {}).map(([path, present]) => around.exists(path) === present),
    ...Object.entries(OtherJobEnabled ?? {}).map(([label, enabled]) => around.loaded(label) === enabled),
  ];
  return wanted.some(Boolean);
}

/** Whether a job starts when it is loaded: RunAtLoad, or a KeepAlive that implies it. */
export function startsAtLoad(runAtLoad: boolean, keepAlive: KeepAlive, around: Surroundings): boolean {
  if (runAtLoad || keepAlive === true) return true;
  if (keepAlive === false) return false;
  // SuccessfulExit and Crashed imply RunAtLoad "true", since the job has to run once to have ended (launchd.plist(5)).
  if (keepAlive.SuccessfulExit !== undefined || keepAlive.Crashed !== undefined) return true;
  return startsAgain(keepAlive, { code: null, signal: null }, around);
}

/** Milliseconds to wait before the next start: no two starts are closer than `throttle` seconds. */
export const respawnDelay = (throttle: number, startedAt: number, now: number): number =>
  Math.max(0, throttle * 1000 - (now - startedAt));
