import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

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
      const info = await lstat(at).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      });
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
