/**
 * Looks at a user's files from outside (lstat), where a disk that does not answer can block the caller for ever, in
 * uninterruptible sleep. So a child looks; in the daemon it would hold a thread of the four that all its files share,
 * and its end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cleanEnvironment } from '../lib/command.js';
import type { OutsideAnswer } from './outside-look.js';

/** Milliseconds in which places answer, or are said not to. */
const deadline = 5000;
/** Milliseconds after which a child that nobody needs ends: it outlives the minute between two looks where all is quiet. */
const idle = 90_000;
/** Children that may hang at a time, each at a place of its own. */
const maxHung = 8;

/** A place that does not answer: what is there is unknown. `since`: when it was asked, in ms since the epoch. */
export class DoesNotAnswer extends Error {
  readonly since: number;
  constructor(place: string, since: number) {
    super(
      `${place} has not been looked at since ${new Date(since).toISOString()}: its disk does not answer. If it is a ` +
        'network share or another computer’s, connect it again or eject it',
    );
    this.since = since;
  }
}

/** The stats of every path, in order; a code (`ENOENT`) where there are none. Rejects with DoesNotAnswer. */
export type Look = (place: string, paths: readonly string[]) => Promise<readonly OutsideAnswer[]>;

/**
 * Looks through the child program at `worker`, which first becomes `owner` where one is given. `place` is what hangs together, a Docker.app: when it does not answer
 * it is not asked again until the child that hangs there is free, and every other place is asked by another child.
 */
export function outsideBy(
  worker: string,
  timeout = deadline,
  owner?: { readonly uid: number; readonly gid: number },
): { look: Look; stop: () => void } {
  /** By place, since when it hangs. An entry is there for as long as its child hangs. */
  const hung = new Map<string, number>();
  let child: ChildProcess | null = null;
  let ending: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  function start(): ChildProcess {
    const become = owner ? [String(owner.uid), String(owner.gid)] : [];
    const started = spawn(process.execPath, [worker, ...become], {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    started.once('error', () => undefined);
    started.once('exit', () => {
      if (child === started) child = null;
    });
    return started;
  }

  /** From now on this child is that place's alone, until it is free and so can end. */
  function abandon(place: string, asked: ChildProcess, since: number): void {
    child = null;
    hung.set(place, since);
    asked.once('exit', () => {
      hung.delete(place);
    });
    asked.kill('SIGKILL');
    asked.unref();
    asked.channel?.unref();
  }

  function ask(place: string, paths: readonly string[]): Promise<readonly OutsideAnswer[]> {
    const since = hung.get(place);
    if (since !== undefined) return Promise.reject(new DoesNotAnswer(place, since));
    if (hung.size >= maxHung) return Promise.reject(new DoesNotAnswer(place, Math.min(...hung.values())));
    clearTimeout(ending);
    const asked = (child ??= start());
    const began = Date.now();
    return new Promise<readonly OutsideAnswer[]>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        asked.off('message', answer).off('exit', end).off('error', end);
      };
      const answer = (said: unknown): void => {
        done();
        resolve(said as readonly OutsideAnswer[]);
      };
      const end = (): void => {
        done();
        reject(new Error(`the child that looks at ${place} has ended`));
      };
      const timer = setTimeout(() => {
        done();
        abandon(place, asked, began);
        reject(new DoesNotAnswer(place, began));
      }, timeout);
      asked.on('message', answer).on('exit', end).on('error', end);
      asked.send(paths, () => undefined);
    }).finally(() => {
      ending = setTimeout(stop, idle);
      ending.unref();
    });
  }

  function stop(): void {
    clearTimeout(ending);
    if (child?.connected) child.disconnect();
    child = null;
  }

  return {
    look: (place, paths) => {
      const answer = turn.then(() => ask(place, paths));
      turn = answer.catch(() => undefined);
      return answer;
    },
    stop,
  };
}
