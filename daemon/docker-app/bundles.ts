import { constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  judgeInstall,
  judgeRestore,
  type HyperkitFiles,
  type RestoreChange,
  type Verdict,
} from '../core/docker/hyperkit.js';
import { type Bundle, type Bundles, type Seen, type SavedOriginal, seen } from '../core/observation.js';
import { StepError } from '../core/steps.js';
import { messageOf } from '../lib/text.js';
import { answerSchema, type WorkerAnswer, type WorkerRequest } from './bundle-protocol.js';
import { forgetOriginals, maxOriginals, readOriginals, saveOriginal } from './originals.js';
import { DoesNotAnswer, type Look } from './outside.js';
import { type Outside, type OutsideAnswer, saysAbsent, statsOf } from './outside-look.js';
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

/**
 * Milliseconds in which a child that refused, failed or hung is not started again to look at the same, unless a person
 * asks: at first, and at the most after it did so again and again.
 */
const afterFailure = 60_000;
const maxAfterFailure = 3_600_000;
/** Milliseconds that a look waits for what a child finds; what comes later is for the next one. */
const lookTime = 5000;

const appOf = (hyperkit: string): string => hyperkit.slice(0, hyperkit.lastIndexOf('/Contents/'));

/** The folders from the app to hyperkit. */
const wayTo = (hyperkit: string): string[] =>
  dirname(hyperkit)
    .slice(appOf(hyperkit).length + 1)
    .split('/');

export interface BundleRoom {
  /** Docker.apps whose hyperkit was ever put aside: they are restored whichever user is in front by then. */
  readonly touched: () => Promise<readonly string[]>;
  /**
   * `claimed` are Docker.apps that only processes or the journal name. They count where root or `uid`
   * owns them, the journal's also while something of ours stands there: nobody has root work in somebody else's.
   */
  readonly observe: (
    apps: readonly string[],
    claimed?: { readonly apps: readonly string[]; readonly uid: number | null },
  ) => Promise<Seen<Bundles>>;
  /** What could not be looked at is looked at again at once: a person asks. */
  readonly lookAnew: () => void;
  readonly install: (hyperkit: string) => Promise<void>;
  readonly restore: (hyperkit: string) => Promise<void>;
}

const mark = (answer: OutsideAnswer): string => {
  if (typeof answer === 'string') return '-';
  const { dev, ino, size, mtimeMs, ctimeMs, mode, nlink } = answer;
  return [dev, ino, size, mtimeMs, ctimeMs, mode, nlink].join(' ');
};

/** `staff`, every Mac user's own group. The folder's group may be more than its owner's (`admin`). */
const staff = 20;

/** Whose hyperkit's folder is, and which folder (`device:inode`). */
interface Way {
  readonly uid: number;
  readonly folder: string;
}

const isFolder = ({ mode }: { mode: number }): boolean => (mode & constants.S_IFMT) === constants.S_IFDIR;
const isLink = ({ mode }: { mode: number }): boolean => (mode & constants.S_IFMT) === constants.S_IFLNK;

/** What lies in a bundle, as the child says. */
type Found = Extract<WorkerAnswer, { ok: true }>;

/** What a child finds, unless it takes too long for a look. */
async function unlessLate(app: string, answer: Promise<WorkerAnswer>): Promise<WorkerAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<WorkerAnswer>((resolve) => {
    timer = setTimeout(() => {
      resolve({
        ok: false,
        code: 'LATE',
        message: `a look into ${app} takes longer than ${lookTime / 1000} s`,
      });
    }, lookTime);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The bundles on disk. `ask` has the child work in a bundle, `shim` is the text that hyperkit is to have, `originals`
 * the path of their journal. Files are only looked at from outside, by `look`; the child reads them, and only when they
 * changed. Root works on no other disk than that of `systemFolder`: of an image that is mounted without ownership
 * everything seems to be root's.
 */
export function createBundleRoom(options: {
  ask: (request: WorkerRequest) => Promise<unknown>;
  look: Look;
  shim: string;
  originals: string;
  systemFolder: string;
  log: (level: 'info' | 'warn', message: string) => void;
}): BundleRoom {
  const { look, systemFolder } = options;
  const known = new Map<
    string,
    { fingerprint: string; until: number; pause: number; answer: Promise<WorkerAnswer> }
  >();
  /** By hyperkit's path, whose it was at the last look: whoever has a folder above it may turn that elsewhere. */
  const owners = new Map<string, number>();
  const settling = createSettling({ wall: () => Date.now(), steady: () => performance.now() }, look);

  /**
   * Whose the way from the app to hyperkit's folder is. Refused: a symbolic link on it, since root would follow a user's
   * link into somebody else's folder, a way that changes hands, unless root's alone, and root's on another disk.
   */
  async function wayOf(hyperkit: string): Promise<Way | { refused: string }> {
    const app = appOf(hyperkit);
    const names = wayTo(hyperkit);
    const paths = [app, ...names.map((_, index) => join(app, ...names.slice(0, index + 1)))];
    const answers = await look(app, paths);
    const owners = new Set<number>();
    let last: Outside | null = null;
    for (const [index, path] of paths.entries()) {
      const answer = answers[index] ?? 'ENOENT';
      if (typeof answer === 'string') return { refused: `${path} cannot be looked at (${answer})` };
      const stats = (last = answer);
      if (isLink(stats))
        return {
          refused: `${path} is a symbolic link, which root does not follow; set docker.app to where Docker.app really is`,
        };
      if (!isFolder(stats)) return { refused: `${path} is no folder` };
      if (stats.uid === 0 && (stats.mode & 0o022) !== 0)
        return { refused: `${path} belongs to root but others may write it` };
      owners.add(stats.uid);
    }
    const [uid = 0, other] = owners;
    if (other !== undefined)
      return {
        refused: `the folders from ${app} to hyperkit belong to different users (${[...owners].join(', ')})`,
      };
    if (uid === 0 && last?.dev !== (await systemDevice()))
      return {
        refused: `${app} seems to belong to root and lies on another disk than ${systemFolder}, where that means nothing; move it to ${systemFolder}`,
      };
    return { uid, folder: `${last?.dev ?? ''}:${last?.ino ?? ''}` };
  }

  const systemDevice = async (): Promise<number | null> =>
    statsOf((await look(systemFolder, [systemFolder]))[0])?.dev ?? null;

  async function ask(
    action: WorkerRequest['action'],
    hyperkit: string,
    way: Way,
    expected: string | null = null,
  ): Promise<WorkerAnswer> {
    const app = appOf(hyperkit);
    const answer = answerSchema.safeParse(
      await options.ask({
        action,
        app,
        way: wayTo(hyperkit),
        folder: way.folder,
        name: basename(hyperkit),
        uid: way.uid,
        gid: staff,
        shim: options.shim,
        expected,
      }),
    );
    if (!answer.success) throw new Error(`the child in ${app} gave no sensible answer`);
    return answer.data;
  }

  /** What the child of `way.uid` finds; with a child that takes long it is refused for now, and the next look has it. */
  async function inspect(hyperkit: string, way: Way): Promise<WorkerAnswer> {
    const app = appOf(hyperkit);
    const files = [hyperkit, `${hyperkit}.original`, dirname(hyperkit), join(app, 'Contents/Info.plist')];
    const fingerprint = [way.uid, way.folder, ...(await look(app, files)).map(mark)].join('|');
    const before = known.get(hyperkit);
    if (before?.fingerprint === fingerprint && performance.now() < before.until)
      return unlessLate(app, before.answer);
    const answer = ask('inspect', hyperkit, way);
    const pause = before ? Math.min(maxAfterFailure, 2 * before.pause) : afterFailure;
    const entry = { fingerprint, until: Infinity, pause, answer };
    known.set(hyperkit, entry);
    const fail = (): void => {
      entry.until = performance.now() + pause;
    };
    answer.then(({ ok }) => {
      if (ok) entry.pause = afterFailure / 2;
      else fail();
    }, fail);
    return unlessLate(app, answer);
  }

  async function locate(app: string): Promise<string | null> {
    const paths = places.flatMap((place) => [join(app, place), `${join(app, place)}.original`]);
    const found = (await look(app, paths)).findIndex((answer) => statsOf(answer) !== null);
    return found < 0 ? null : (paths[found - (found % 2)] ?? null);
  }

  /** Whether somebody whose Docker this is owns it. */
  const isOwned = async (app: string, uid: number | null): Promise<boolean> => {
    const stats = statsOf((await look(app, [app]))[0]);
    return stats !== null && (stats.uid === 0 || stats.uid === uid);
  };

  /** Whether a Docker.app was removed, rather than being on a disk that is not there. */
  const isGone = async (app: string): Promise<boolean> => {
    const [folder, ...both] = await look(app, [dirname(app), app, `${app}.back`]);
    return statsOf(folder) !== null && both.every(saysAbsent);
  };

  async function observe(
    apps: readonly string[],
    claimed: { readonly apps: readonly string[]; readonly uid: number | null } = { apps: [], uid: null },
  ): Promise<Seen<Bundles>> {
    const withHyperkit: Bundle[] = [];
    const without: { app: string }[] = [];
    const refused: Bundles['refused'][number][] = [];
    const outOfReach: string[] = [];
    const replacing: Bundles['replacing'][number][] = [];
    owners.clear();
    const saved = await readOriginals(options.originals);
    const savedIn = (app: string): string[] => Object.keys(saved).filter((path) => appOf(path) === app);

    async function observeOne(app: string): Promise<void> {
      const isTrusted = apps.includes(app);
      if (!isTrusted && savedIn(app).length === 0 && !(await isOwned(app, claimed.uid))) return;
      const { signs, unsettled } = await settling.look(app);
      if (unsettled) replacing.push({ app, ...unsettled });
      const hyperkit = signs.present ? await locate(app) : null;
      if (hyperkit === null) {
        if (signs.present && !unsettled) without.push({ app });
        const mine = savedIn(app);
        // An updater may put back what it has moved aside.
        if (unsettled) {
          const aside = mine.map((path) => `${app}.back${path.slice(app.length)}.original`);
          const answers = await look(app, aside);
          outOfReach.push(...mine.filter((_, index) => statsOf(answers[index]) !== null));
        } else if (mine.length > 0 && (await isGone(app))) await forgetOriginals(options.originals, mine);
        return;
      }
      const refuse = async (why: string): Promise<void> => {
        refused.push({ app, why });
        if (hyperkit in saved && !saysAbsent((await look(app, [`${hyperkit}.original`]))[0]))
          outOfReach.push(hyperkit);
      };
      try {
        const way = await wayOf(hyperkit);
        if ('refused' in way) {
          await refuse(way.refused);
          return;
        }
        const answer = await inspect(hyperkit, way);
        if (!answer.ok) {
          await refuse(answer.message);
          return;
        }
        const bundle: Bundle = {
          app,
          hyperkit,
          version: answer.version,
          ownerUid: way.uid,
          identity: signs.identity,
          arrived: signs.arrived,
          target: answer.target,
          original: answer.original,
          saved: saved[hyperkit] ?? null,
          leftovers: answer.leftovers,
        };
        const isStrangers = !isTrusted && way.uid !== 0 && way.uid !== claimed.uid;
        if (isStrangers && (!(hyperkit in saved) || judgeRestore(bundle).kind === 'done')) return;
        owners.set(hyperkit, way.uid);
        withHyperkit.push(bundle);
      } catch (error) {
        if (error instanceof DoesNotAnswer) throw error;
        await refuse(messageOf(error));
      }
    }

    for (const app of new Set([...apps, ...claimed.apps]))
      try {
        await observeOne(app);
      } catch (error) {
        refused.push({ app, why: messageOf(error), unseen: true });
        // Unknown is not absent.
        outOfReach.push(...savedIn(app).filter((path) => !outOfReach.includes(path)));
      }
    return seen({ withHyperkit, without, refused, outOfReach, replacing });
  }

  async function done(
    action: WorkerRequest['action'],
    hyperkit: string,
    expected: string | null = null,
  ): Promise<Found> {
    const app = appOf(hyperkit);
    const { unsettled } = await settling.look(app).catch((error: unknown) => {
      throw new StepError(messageOf(error), { condition: 'Shim', reason: 'DoesNotAnswer' });
    });
    // Since it was planned an update may have begun.
    if (unsettled) throw new StepError(unsettled.why, { condition: 'Shim', reason: 'BeingReplaced' });
    const way = await wayOf(hyperkit);
    if ('refused' in way)
      throw new StepError(`${hyperkit}: ${way.refused}`, { condition: 'Shim', reason: 'BundleRefused' });
    if (way.uid !== (owners.get(hyperkit) ?? way.uid))
      throw new StepError(`${app} has changed hands since it was looked at`, {
        condition: 'Shim',
        reason: 'BundleRefused',
      });
    const answer = await ask(action, hyperkit, way, expected);
    if (action !== 'inspect') {
      known.delete(hyperkit);
      await settling.ours(app);
    }
    if (answer.ok) return answer;
    if (answer.code === 'EPERM')
      throw new StepError(grant, { condition: 'Shim', reason: 'AppManagement', blocked: true });
    if (answer.code === 'EACCES' || answer.code === 'EROFS')
      throw new StepError(
        `${hyperkit} cannot be changed by its owner (${answer.message}): its folder or volume is read-only. Make it writable, or move Docker.app to /Applications; then run \`tuntapctl up\``,
        { condition: 'Shim', reason: 'ReadOnly', blocked: true },
      );
    throw new StepError(`${hyperkit}: ${answer.message}`, { condition: 'Shim', reason: 'BundleRefused' });
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
        throw new StepError(verdict.why, { condition: 'Shim', reason: 'BeingWritten' });
      case 'blocked':
        throw new StepError(verdict.why, { condition: 'Shim', reason: verdict.reason, blocked: true });
    }
  }

  /** The original is in the journal, on the disk, before the shim stands. */
  async function install(hyperkit: string): Promise<void> {
    const need = await needed(hyperkit, judgeInstall);
    if (!need) return;
    const { found, saved, change } = need;
    const { sha256, size } = change === 'shim-over-target' ? found.target : found.original;
    if (saved === null && Object.keys(await readOriginals(options.originals)).length >= maxOriginals)
      throw new StepError(
        `${maxOriginals} Docker.apps have the shim already: take it out of one (\`tuntapctl shim restore\`), or remove one`,
        { condition: 'Shim', reason: 'TooManyBundles', blocked: true },
      );
    if (sha256 !== null && saved?.sha256 !== sha256)
      await saveOriginal(options.originals, hyperkit, { sha256, size, version: found.version });
    if (change !== 'record') await done('install', hyperkit, sha256);
  }

  async function restore(hyperkit: string): Promise<void> {
    const need = await needed(hyperkit, judgeRestore);
    if (need) await giveBack(hyperkit, need);
    await forgetOriginals(options.originals, [hyperkit]);
  }

  async function giveBack(
    hyperkit: string,
    { found, saved, change }: { found: Found; saved: SavedOriginal | null; change: RestoreChange },
  ): Promise<void> {
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
