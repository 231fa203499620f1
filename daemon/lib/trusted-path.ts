import { readlink } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { statsOf } from './stats-of.js';

interface Options {
  /** Where to begin; what lies above is not looked at. */
  readonly from?: string;
  /** Whose files are trusted; root's. */
  readonly uid?: number;
}

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

export interface Distrust {
  /** The folder or file that is not root's alone. */
  readonly path: string;
  /** What is wrong with it, as the rest of a sentence. */
  readonly why: string;
}

/**
 * Where somebody other than root could put something else at `path`: every folder on the way (and the path itself) that
 * is not root's or that others may write, whether it is reached directly or through a link. Empty when root alone
 * decides. What does not exist yet is no problem. Access control lists are not seen.
 */
export async function distrusted(
  path: string,
  { from = '/', uid = 0 }: Options = {},
): Promise<readonly Distrust[]> {
  const problems = new Map<string, Distrust>();
  const distrust = (at: string, why: string): void => {
    problems.set(`${at} ${why}`, { path: at, why });
  };

  async function walk(target: string, links: number): Promise<void> {
    const names = relative(from, target)
      .split(sep)
      .filter((name) => name !== '');
    let at = from;
    for (const [index, name] of ['.', ...names].entries()) {
      at = join(at, name);
      const info = await statsOf(at);
      if (!info) return;
      if (info.uid !== uid) distrust(at, `belongs to uid ${info.uid}, not to root`);
      if (info.isSymbolicLink()) {
        const behind = join(resolve(dirname(at), await readlink(at)), ...names.slice(index));
        if (links === 0) distrust(at, 'ends a chain of too many links');
        else await walk(behind, links - 1);
        return;
      }
      if ((info.mode & 0o022) !== 0)
        distrust(at, `can be written by others than its owner (mode ${octal(info.mode)})`);
    }
  }

  await walk(resolve(path), 16);
  return [...problems.values()];
}

/** The same as sentences. */
export const untrusted = async (path: string, options: Options = {}): Promise<string[]> =>
  (await distrusted(path, options)).map(({ path: at, why }) => `${at} ${why}`);

/** What root does in a folder that may have been given to somebody. */
export interface FolderTrust {
  readonly exists: boolean;
  /** Why root puts nothing there, as the rest of a sentence; null: root alone decides what is in it. */
  readonly distrust: string | null;
  /**
   * Whether what is in it can be looked at and taken out: it is a folder, and nobody but root can put another in its
   * place. Who may change it can do that too, and unlink(2) follows nothing.
   */
  readonly isWithinReach: boolean;
}

/** Looks at a folder and at all above it. */
export async function trustIn(folder: string, { from = '/', uid = 0 }: Options = {}): Promise<FolderTrust> {
  const stats = await statsOf(folder);
  const exists = stats !== null;
  if (stats?.isDirectory() === false)
    return {
      exists,
      distrust: stats.isSymbolicLink() ? 'is a link' : 'is no folder',
      isWithinReach: false,
    };
  const [problem] = await untrusted(folder, { from, uid });
  if (problem === undefined) return { exists, distrust: null, isWithinReach: exists };
  const above = from === folder ? [] : await untrusted(dirname(folder), { from, uid });
  return {
    exists,
    distrust: problem.startsWith(`${folder} `) ? problem.slice(folder.length + 1) : `is not safe: ${problem}`,
    isWithinReach: exists && above.length === 0,
  };
}
