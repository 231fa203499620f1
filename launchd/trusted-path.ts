import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

interface Options {
  /** Where to begin; what lies above is not looked at. */
  readonly from?: string;
  /** Whose files are trusted; root's. */
  readonly uid?: number;
}

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

/**
 * Why somebody other than root could put something else at `path`: one sentence for every folder on the way (and
 * the path itself) that is not root's or that others may write, whether it is reached directly or through a link.
 * Empty when root alone decides. What does not exist yet is no problem. Access control lists are not seen.
 */
export async function untrusted(path: string, { from = '/', uid = 0 }: Options = {}): Promise<string[]> {
  const problems = new Set<string>();

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
      if (info.uid !== uid) problems.add(`${at} belongs to uid ${info.uid}, not to root`);
      if (info.isSymbolicLink()) {
        const behind = join(resolve(dirname(at), await readlink(at)), ...names.slice(index));
        if (links === 0) problems.add(`${at} ends a chain of too many links`);
        else await walk(behind, links - 1);
        return;
      }
      if ((info.mode & 0o022) !== 0)
        problems.add(`${at} can be written by others than its owner (mode ${octal(info.mode)})`);
    }
  }

  await walk(resolve(path), 16);
  return [...problems];
}
