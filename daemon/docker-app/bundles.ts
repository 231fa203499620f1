import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { judgeInstall, judgeRestore, type HyperkitFiles, type Verdict } from '../hyperkit.js';
import { type Bundle, type Bundles, type Seen, type SavedOriginal, seen } from '../observation.js';
import { StepError } from '../steps.js';
import { isAbsent } from '../is-absent.js';
import { messageOf } from '../text.js';
import { answerSchema, type WorkerAnswer, type WorkerRequest } from './bundle-protocol.js';
import { readOriginals, saveOriginal } from './originals.js';
import { createSettling } from './settling.js';

/** Where hyperkit has been in a Docker.app, newest first. */
const places = [
  'Contents/Resources/bin/com.docker.hyperkit',
  'Contents/Resources/bin/hyperkit',
  'Contents/MacOS/com.docker.hyperkit',
];

/** EPERM: App Management refuses even root; before macOS 13 only a flag on the file or its folder (chflags(1)) does. */
const grant =
  'macOS does not let tuntapd change Docker.app (operation not permitted). Open System Settings > Privacy & Security > ' +
  'App Management, add /opt/tuntapd/bin/tuntapd with the + button and switch it on; before macOS 13 there is none, ' +
  'and hyperkit or its folder is locked (ls -lO shows “uchg”). Then run `tuntapctl up`';

/** Milliseconds in which a child that refused, failed or hung is not started again to look at the same: all wait for it. */
const afterFailure = 60_000;

const appOf = (hyperkit: string): string => hyperkit.slice(0, hyperkit.lastIndexOf('/Contents/'));

/** The folders from the app to hyperkit. */
const wayTo = (hyperkit: string): string[] =>
  dirname(hyperkit)
    .slice(appOf(hyperkit).length + 1)
    .split('/');

export interface BundleRoom {
  /** Docker.apps where hyperkit was ever put aside: they are to be given back, whoever is in front by then. */
  readonly touched: () => Promise<readonly string[]>;
  readonly observe: (apps: readonly string[]) => Promise<Seen<Bundles>>;
  /** What could not be looked at is looked at again at once: a person asks. */
  readonly lookAnew: () => void;
  readonly install: (hyperkit: string) => Promise<void>;
  readonly restore: (hyperkit: string) => Promise<void>;
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function mark(path: string): Promise<string> {
  return lstat(path).then(
    ({ dev, ino, size, mtimeMs, ctimeMs, mode, nlink }) =>
      [dev, ino, size, mtimeMs, ctimeMs, mode, nlink].join(' '),
    () => '-',
  );
}

/** `staff`, every Mac user's own group. The folder's group may be more than its owner's (`admin`). */
const staff = 20;

/**
 * Whose the way from the app to hyperkit's folder is. Refused: a symbolic link on it, since root would follow a
 * user's link into somebody else's folder, and a way that changes hands, unless root's alone.
 */
async function ownerOfWay(
  app: string,
  names: readonly string[],
): Promise<{ uid: number } | { refused: string }> {
  const way = [app, ...names.map((_, index) => join(app, ...names.slice(0, index + 1)))];
  const owners = new Set<number>();
  for (const path of way) {
    const stats = await lstat(path);
    if (stats.isSymbolicLink())
      return {
        refused: `${path} is a symbolic link, which root does not follow; set docker.app to where Docker.app really is`,
      };
    if (!stats.isDirectory()) return { refused: `${path} is no folder` };
    if (stats.uid === 0 && (stats.mode & 0o022) !== 0)
      return { refused: `${path} belongs to root but others may write it` };
    owners.add(stats.uid);
  }
  const [uid = 0, other] = owners;
  return other === undefined
    ? { uid }
    : {
        refused: `the folders from ${app} to hyperkit belong to different users (${[...owners].join(', ')})`,
      };
}

/** What lies in a bundle, as the child says. */
type Found = Extract<WorkerAnswer, { ok: true }>;

/**
 * The bundles on disk. `ask` has the child work in a bundle, `shim` is the text that hyperkit is to have, `originals`
 * the path of their journal. From here files are only looked at from outside (lstat); the child reads them, and only
 * when they changed.
 */
export function createBundleRoom(options: {
  ask: (request: WorkerRequest) => Promise<unknown>;
  shim: string;
  originals: string;
  log: (level: 'info' | 'warn', message: string) => void;
}): BundleRoom {
  const known = new Map<string, { fingerprint: string; until: number; answer: Promise<WorkerAnswer> }>();
  const settling = createSettling({ wall: () => Date.now(), steady: () => performance.now() });

  async function ask(
    action: WorkerRequest['action'],
    hyperkit: string,
    expected: string | null = null,
  ): Promise<WorkerAnswer> {
    const app = appOf(hyperkit);
    const folder = dirname(hyperkit);
    const way = wayTo(hyperkit);
    const owner = await ownerOfWay(app, way);
    if ('refused' in owner) return { ok: false, code: 'REFUSED', message: owner.refused };
    const { dev, ino } = await lstat(folder, { bigint: true });
    const answer = answerSchema.safeParse(
      await options.ask({
        action,
        app,
        way,
        folder: `${dev}:${ino}`,
        name: basename(hyperkit),
        uid: owner.uid,
        gid: staff,
        shim: options.shim,
        expected,
      }),
    );
    if (!answer.success) throw new Error(`the child in ${app} gave no sensible answer`);
    return answer.data;
  }

  async function inspect(hyperkit: string): Promise<WorkerAnswer> {
    const folder = dirname(hyperkit);
    const files = [hyperkit, `${hyperkit}.original`, folder, join(appOf(hyperkit), 'Contents/Info.plist')];
    const fingerprint = (await Promise.all(files.map(mark))).join('|');
    // The rest of the way is in no fingerprint, and is what a person mends.
    const owner = await ownerOfWay(appOf(hyperkit), wayTo(hyperkit));
    if ('refused' in owner) return { ok: false, code: 'REFUSED', message: owner.refused };
    const before = known.get(hyperkit);
    if (before?.fingerprint === fingerprint && performance.now() < before.until) return before.answer;
    const answer = ask('inspect', hyperkit);
    const isGood = await answer.then(
      ({ ok }) => ok,
      () => false,
    );
    const until = isGood ? Infinity : performance.now() + afterFailure;
    known.set(hyperkit, { fingerprint, until, answer });
    return answer;
  }

  async function locate(app: string): Promise<string | null> {
    for (const place of places) {
      const path = join(app, place);
      if ((await exists(path)) || (await exists(`${path}.original`))) return path;
    }
    return null;
  }

  async function observe(apps: readonly string[]): Promise<Seen<Bundles>> {
    const withHyperkit: Bundle[] = [];
    const without: { app: string }[] = [];
    const refused: { app: string; why: string }[] = [];
    const outOfReach: string[] = [];
    const replacing: Bundles['replacing'][number][] = [];
    const saved = await readOriginals(options.originals);
    const refuse = async (app: string, hyperkit: string, why: string): Promise<void> => {
      refused.push({ app, why });
      if (hyperkit in saved && !(await isAbsent(`${hyperkit}.original`))) outOfReach.push(hyperkit);
    };
    for (const app of new Set(apps)) {
      const { signs, unsettled } = await settling.look(app);
      if (unsettled) replacing.push({ app, ...unsettled });
      const hyperkit = signs.present ? await locate(app) : null;
      if (hyperkit === null) {
        if (signs.present && !unsettled) without.push({ app });
        // An updater may put back what it has moved aside.
        for (const path of unsettled ? Object.keys(saved) : [])
          if (appOf(path) === app && (await exists(`${app}.back${path.slice(app.length)}.original`)))
            outOfReach.push(path);
        continue;
      }
      try {
        const answer = await inspect(hyperkit);
        if (!answer.ok) await refuse(app, hyperkit, answer.message);
        else
          withHyperkit.push({
            app,
            hyperkit,
            version: answer.version,
            ownerUid: (await lstat(dirname(hyperkit))).uid,
            identity: signs.identity,
            arrived: signs.arrived,
            target: answer.target,
            original: answer.original,
            saved: saved[hyperkit] ?? null,
            leftovers: answer.leftovers,
          });
      } catch (error) {
        await refuse(app, hyperkit, messageOf(error));
      }
    }
    return seen({ withHyperkit, without, refused, outOfReach, replacing });
  }

  async function done(
    action: WorkerRequest['action'],
    hyperkit: string,
    expected: string | null = null,
  ): Promise<Found> {
    const app = appOf(hyperkit);
    const { unsettled } = await settling.look(app);
    // Since it was planned an update may have begun.
    if (unsettled) throw new StepError(unsettled.why, { reason: 'BeingReplaced' });
    const answer = await ask(action, hyperkit, expected);
    if (action !== 'inspect') {
      known.delete(hyperkit);
      await settling.ours(app);
    }
    if (answer.ok) return answer;
    if (answer.code === 'EPERM') throw new StepError(grant, { reason: 'AppManagement', blocked: true });
    if (answer.code === 'EACCES' || answer.code === 'EROFS')
      throw new StepError(
        `${hyperkit} cannot be changed by its owner (${answer.message}): its folder or volume is read-only. Make it writable, or move Docker.app to /Applications; then run \`tuntapctl up\``,
        { reason: 'ReadOnly', blocked: true },
      );
    throw new StepError(`${hyperkit}: ${answer.message}`, { reason: 'BundleRefused' });
  }

  /** What lies there now, and the change that it needs; null when none. Throws StepError when none is possible. */
  async function needed<Change>(
    hyperkit: string,
    judge: (files: HyperkitFiles) => Verdict<Change>,
  ): Promise<{ found: Found; saved: SavedOriginal | null; change: Change } | null> {
    const found = await done('inspect', hyperkit);
    const saved = (await readOriginals(options.originals))[hyperkit] ?? null;
    const verdict = judge({ ...found, hyperkit, saved });
    switch (verdict.kind) {
      case 'done':
        return null;
      case 'change':
        return { found, saved, change: verdict.change };
      case 'wait':
        throw new StepError(verdict.why, { reason: 'BeingWritten' });
      case 'blocked':
        throw new StepError(verdict.why, { reason: verdict.reason, blocked: true });
    }
  }

  /** The original is in the journal, on the disk, before the shim stands. */
  async function install(hyperkit: string): Promise<void> {
    const need = await needed(hyperkit, judgeInstall);
    if (!need) return;
    const { found, saved, change } = need;
    const { sha256, size } = change === 'shim-over-target' ? found.target : found.original;
    if (sha256 !== null && saved?.sha256 !== sha256)
      await saveOriginal(options.originals, hyperkit, { sha256, size, version: found.version });
    if (change !== 'record') await done('install', hyperkit, sha256);
  }

  async function restore(hyperkit: string): Promise<void> {
    const need = await needed(hyperkit, judgeRestore);
    if (!need) return;
    const { found, saved, change } = need;
    const { sha256 } = change === 'give-back' ? found.original : found.target;
    const { target } = await done('restore', hyperkit, sha256);
    if (saved === null || change === 'clean') return;
    const proof = `SHA-256 ${target.sha256 ?? 'unknown'}`;
    if (target.sha256 === saved.sha256)
      options.log('info', `${hyperkit} is what was put aside, byte for byte: ${proof}`);
    else
      options.log(
        'warn',
        `${hyperkit} is not what was put aside (SHA-256 ${saved.sha256}) but what has replaced it since: ${proof}; ` +
          'the newer one is kept',
      );
  }

  const touched = async (): Promise<readonly string[]> => [
    ...new Set(Object.keys(await readOriginals(options.originals)).map(appOf)),
  ];

  const lookAnew = (): void => {
    for (const [hyperkit, { until }] of known) if (until !== Infinity) known.delete(hyperkit);
  };

  return { touched, observe, lookAnew, install, restore };
}
