import psList from 'ps-list';
import { type ConsoleUser, type DockerProcess, type Seen, seen, unknown } from '../observation.js';
import { messageOf } from '../text.js';

export interface Process {
  readonly pid: number;
  readonly uid?: number | undefined;
  readonly cmd?: string | undefined;
  readonly startTime?: Date | undefined;
}

const patience = 10_000;

type List = () => Promise<readonly Process[]>;

/** Since when a list is under way, by the way it is made. */
const underWay = new WeakMap<List, number>();
/** Milliseconds after which one that has not ended is beside the point. */
const forgotten = 60_000;

/** A ps that hangs is not ended by ps-list, and each look would leave another one behind: there is one more a minute. */
async function alone(list: List): Promise<readonly Process[]> {
  const age = performance.now() - (underWay.get(list) ?? -Infinity);
  if (age >= patience && age < forgotten) throw new Error('an earlier ps has not ended yet');
  const began = performance.now();
  underWay.set(list, began);
  try {
    return await list();
  } finally {
    if (underWay.get(list) === began) underWay.delete(list);
  }
}

/** Every process, by ps-list. One that hangs is given up after 10 s, so that it keeps the daemon from nothing else. */
export async function listProcesses(list: List = psList): Promise<Seen<readonly Process[]>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`ps took longer than ${patience / 1000} s`));
    }, patience);
  });
  try {
    return seen(await Promise.race([alone(list), late]));
  } catch (error) {
    return unknown(`the processes cannot be listed: ${messageOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Docker’s own programs, where `ps` tells their path (argv[0] as it was given, adv_cmds ps/print.c). What a person sees
 * and quits is `Docker` or, in newer ones, `com.docker.backend` without a word after it (its children have one);
 * `Docker Desktop.app` inside is a window of it.
 */
const program =
  /^(\/(?:(?! [-/]).)*?\.app)\/Contents\/MacOS\/(Docker|com\.docker\.[a-z.]+)(?= -|$| [a-z]+(?: |$))/;

/** Docker’s own processes of a user, with the bundle each was started from; hyperkit is none of them. */
export function pickDocker(processes: readonly Process[], user: ConsoleUser): DockerProcess[] {
  const found = processes.flatMap(({ pid, uid, cmd, startTime }) => {
    const [whole, app, name] = program.exec(cmd ?? '') ?? [];
    if (uid !== user.uid || startTime === undefined || app === undefined || name === undefined) return [];
    if (name.includes('hyperkit')) return [];
    return [{ pid, app, name, isBare: whole === cmd, startedAt: startTime.toISOString() }];
  });
  const hasDocker = new Set(found.filter(({ name }) => name === 'Docker').map(({ app }) => app));
  return found.map(({ pid, app, name, isBare, startedAt }) => ({
    pid,
    app,
    startedAt,
    gui: name === 'Docker' || (name === 'com.docker.backend' && isBare && !hasDocker.has(app)),
    virtualization: name === 'com.docker.virtualization',
  }));
}
