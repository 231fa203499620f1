import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../command.js';
import { type Bundle, type Bundles, type Seen, seen } from '../observation.js';
import { StepError } from '../steps.js';
import { messageOf } from '../text.js';
import { answerSchema, type WorkerAnswer, type WorkerRequest } from './bundle-protocol.js';
import { createSettling } from './settling.js';

/** Where hyperkit has been in a Docker.app, newest first. */
const places = [
  'Contents/Resources/bin/com.docker.hyperkit',
  'Contents/Resources/bin/hyperkit',
  'Contents/MacOS/com.docker.hyperkit',
];

const grant =
  'macOS does not let tuntapd change Docker.app. Open System Settings > Privacy & Security > App Management, add ' +
  '/opt/tuntapd/bin/tuntapd with the + button and switch it on; then run `tuntapctl up`';

const appOf = (hyperkit: string): string => hyperkit.slice(0, hyperkit.lastIndexOf('/Contents/'));

export interface BundleRoom {
  readonly observe: (apps: readonly string[]) => Promise<Seen<Bundles>>;
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
async function ownerOfWay(app: string, folder: string): Promise<{ uid: number } | { refused: string }> {
  const names = folder.slice(app.length).split('/').slice(1);
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
        refused: `the folders from ${app} to ${folder} belong to different users (${[...owners].join(', ')})`,
      };
}

/**
 * The bundles on disk. `worker` is the path of the bundled child program, `shim` the text that hyperkit is to have.
 * From here files are only looked at from outside (lstat); the child reads them, and only when they changed.
 */
export function createBundleRoom(options: { worker: string; shim: string }): BundleRoom {
  const known = new Map<string, { fingerprint: string; answer: WorkerAnswer }>();
  const settling = createSettling({ wall: () => Date.now(), steady: () => performance.now() });

  async function ask(action: WorkerRequest['action'], hyperkit: string): Promise<WorkerAnswer> {
    const folder = dirname(hyperkit);
    const owner = await ownerOfWay(appOf(hyperkit), folder);
    if ('refused' in owner) return { ok: false, code: 'REFUSED', message: owner.refused };
    const { dev, ino } = await lstat(folder);
    const request: WorkerRequest = {
      action,
      folder,
      device: dev,
      inode: ino,
      name: hyperkit.slice(folder.length + 1),
      uid: owner.uid,
      gid: staff,
      shim: options.shim,
    };
    const { stdout, stderr } = await run(process.execPath, [options.worker], {
      input: JSON.stringify(request),
      timeout: 30_000,
    });
    const answer = answerSchema.safeParse(
      ((): unknown => {
        try {
          return JSON.parse(stdout);
        } catch {
          return null;
        }
      })(),
    );
    if (!answer.success)
      throw new Error(`the child in ${folder} gave no sensible answer: ${stderr.slice(0, 500)}`);
    return answer.data;
  }

  async function inspect(hyperkit: string): Promise<WorkerAnswer> {
    const folder = dirname(hyperkit);
    const files = [hyperkit, `${hyperkit}.original`, folder, join(appOf(hyperkit), 'Contents/Info.plist')];
    const fingerprint = (await Promise.all(files.map(mark))).join('|');
    const before = known.get(hyperkit);
    if (before?.fingerprint === fingerprint) return before.answer;
    const answer = await ask('inspect', hyperkit);
    known.set(hyperkit, { fingerprint, answer });
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
    const replacing: Bundles['replacing'][number][] = [];
    for (const app of new Set(apps)) {
      const { signs, unsettled } = await settling.look(app);
      if (unsettled) replacing.push({ app, ...unsettled });
      if (!signs.present) continue;
      const hyperkit = await locate(app);
      if (hyperkit === null) {
        if (!unsettled) without.push({ app });
        continue;
      }
      try {
        const answer = await inspect(hyperkit);
        if (!answer.ok) refused.push({ app, why: answer.message });
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
          });
      } catch (error) {
        refused.push({ app, why: messageOf(error) });
      }
    }
    return seen({ withHyperkit, without, refused, replacing });
  }

  async function change(action: 'install' | 'restore', hyperkit: string): Promise<void> {
    const app = appOf(hyperkit);
    // Since it was planned an update may have begun.
    const { unsettled } = await settling.look(app);
    if (unsettled) throw new StepError(unsettled.why, { reason: 'BeingReplaced' });
    const answer = await ask(action, hyperkit);
    known.delete(hyperkit);
    await settling.ours(app);
    if (answer.ok) return;
    if (answer.code === 'EPERM') throw new StepError(grant, { reason: 'AppManagement', blocked: true });
    throw new StepError(`${hyperkit}: ${answer.message}`, { reason: 'BundleRefused' });
  }

  return {
    observe,
    install: (hyperkit) => change('install', hyperkit),
    restore: (hyperkit) => change('restore', hyperkit),
  };
}
