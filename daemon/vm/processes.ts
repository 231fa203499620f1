import * as z from 'zod';
import { cleanEnvironment, run, type Run } from '../lib/command.js';
import { type ConsoleUser, type DockerProcess, type Seen, seen, unknown } from '../core/observation.js';
import { paths } from '../lib/paths.js';
import { messageOf, plain } from '../lib/text.js';
import { commandOf, fewOfEach, maxCommand, type Process } from './candidates.js';
import { createLister } from './lister.js';

export type { Process } from './candidates.js';

const listTimeout = 10_000;

type List = () => Promise<readonly Process[]>;

/** Since when a list is under way, by the way it is made. */
const underWay = new WeakMap<List, number>();
/** Milliseconds after which one that has not ended is beside the point. */
const forgotten = 60_000;

/** What the child says, which is untrusted. */
const answerSchema = z
  .array(
    z.strictObject({
      pid: z.int().positive(),
      uid: z.int().nonnegative().optional(),
      cmd: z.string().max(maxCommand),
      startTime: z.iso
        .datetime()
        .transform((text) => new Date(text))
        .optional(),
    }),
  )
  .max(2000);

/** Milliseconds for the child, and for each `ps` when that fails. */
const childPatience = 4000;
const psPatience = 2000;
/** Milliseconds for which a child that failed is not asked again. */
const childRests = 60_000;
/** Bytes that either way may say. */
const maxAnswer = 4_194_304;

async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what} took longer than ${milliseconds / 1000} s`));
    }, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lists the processes that may be Docker's by ps-list, in the child program at `program` until `stop` is called. */
export function listByChild(program: string): { list: List; stop: () => void } {
  const { ask, stop } = createLister(program, childPatience, maxAnswer);
  return { list: async () => answerSchema.parse(JSON.parse(await ask())), stop };
}

/** `pid=,uid=,lstart=,ucomm=`; ucomm is the file's name, cut at 16 characters (MAXCOMLEN). */
const row =
  /^ *(\d+) +(\d+) +\w{3} (\w{3} +\d+ [\d:]{8} \d{4}) +(?:Docker|com\.docker\..*|hyperkit.*?|\.?limactl.*?|gvproxy|OrbStack Helper) *$/;

/** Without -ww, `ps` cuts its lines where COLUMNS says (adv_cmds ps/ps.c). */
const env = { ...cleanEnvironment, COLUMNS: String(maxCommand) };

/** What `ps` prints; nothing when there is no such process (exit 1, adv_cmds ps/ps.c). Rejects when it takes longer than 2 s. */
async function askPs(words: readonly string[], command: Run): Promise<string[]> {
  const { stdout, stderr, exitCode } = await command('/bin/ps', words, {
    timeout: psPatience,
    maxOutput: maxAnswer,
    env,
  });
  if (exitCode !== 0 && stderr !== '') throw new Error(`ps ended with ${exitCode}: ${plain(stderr)}`);
  return stdout.split('\n');
}

/**
 * The same by columns that no process can make long, and then by the beginnings of the command lines of the few that
 * have a name of Docker's. Rejects when a `ps` fails or hangs.
 */
export async function listByColumns(command: Run = run): Promise<readonly Process[]> {
  const rows = await askPs(['-ax', '-o', 'pid=,uid=,lstart=,ucomm='], command);
  const named = fewOfEach(
    rows.flatMap((line) => {
      const [, pid, uid, start] = row.exec(line) ?? [];
      return start === undefined
        ? []
        : [{ pid: Number(pid), uid: Number(uid), startTime: new Date(`${start} UTC`) }];
    }),
  );
  if (named.length === 0) return [];
  const lines = await askPs(['-p', named.map(({ pid }) => pid).join(','), '-o', 'pid=,args='], command);
  const commands = new Map(
    lines.map((line) => {
      const [, pid, args = ''] = /^ *(\d+) (.*)$/.exec(line) ?? [];
      return [Number(pid), args] as const;
    }),
  );
  return named.flatMap((one) => {
    const args = commands.get(one.pid);
    return args === undefined ? [] : [{ ...one, cmd: commandOf(args) }];
  });
}

/** By the child, and when that fails by columns: for a minute the child is not asked again. */
export function listEitherWay(byChild: List): List {
  let failedAt = -Infinity;
  return async () => {
    if (performance.now() - failedAt >= childRests)
      try {
        return await byChild();
      } catch {
        failedAt = performance.now();
      }
    return listByColumns();
  };
}

/** One that hangs may not end, and each look would leave another one behind: there is one more a minute. */
async function alone(list: List): Promise<readonly Process[]> {
  const age = performance.now() - (underWay.get(list) ?? -Infinity);
  if (age >= listTimeout && age < forgotten) throw new Error('an earlier ps has not ended yet');
  const began = performance.now();
  underWay.set(list, began);
  try {
    return await list();
  } finally {
    if (underWay.get(list) === began) underWay.delete(list);
  }
}

/** Its child ends with this process. */
const usualList = listEitherWay(listByChild(paths.processLister).list);

/** Every process that may be Docker's. A list that hangs is given up after 10 s, so that it keeps the daemon from nothing else. */
export async function listProcesses(list: List = usualList): Promise<Seen<readonly Process[]>> {
  try {
    return seen(await within(listTimeout, 'ps', alone(list)));
  } catch (error) {
    return unknown(`the processes cannot be listed: ${messageOf(error)}`);
  }
}

/**
 * Docker’s own programs, where `ps` tells their path (argv[0] as it was given, adv_cmds ps/print.c). What a person sees
 * and quits is `Docker` or, in newer ones, `com.docker.backend` without a word after it, or with the one by which it
 * opens from a terminal (its children have others); `Docker Desktop.app` inside is a window of it.
 */
const program =
  /^(\/(?:(?! [-/]).)*?\.app)\/Contents\/MacOS\/(Docker|com\.docker\.[a-z.]+)(?= -|$| [a-z]+(?: |$))/;

/** Docker’s own processes of a user, with the bundle each was started from; hyperkit is none of them. */
export function pickDocker(processes: readonly Process[], user: ConsoleUser): DockerProcess[] {
  const found = processes.flatMap(({ pid, uid, cmd, startTime }) => {
    const [whole, app, name] = program.exec(cmd ?? '') ?? [];
    if (uid !== user.uid || startTime === undefined || app === undefined || name === undefined) return [];
    if (name.includes('hyperkit')) return [];
    const isBare = cmd === whole || cmd === `${whole} --start-docker-desktop`;
    return [{ pid, app, name, isBare, startedAt: startTime.toISOString() }];
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
