import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';

/**
 * The text of a regular file of at most `maxBytes`; null for everything else, and where nothing is. Nothing is followed,
 * and nothing waited for. Rejects where it cannot be read.
 */
export async function smallFileText(path: string, maxBytes: number): Promise<string | null> {
  try {
    if (!(await lstat(path)).isFile()) return null;
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      // Another may have taken its place since.
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > maxBytes) return null;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    // ELOOP: a link has taken its place.
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
