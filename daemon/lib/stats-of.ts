import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';

/** What is at `path` itself, no link followed; null where nothing is. Rejects where it cannot be looked at. */
export async function statsOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
