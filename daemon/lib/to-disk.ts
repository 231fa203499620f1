import { open } from 'node:fs/promises';

/** Has the disk hold what is at `path`: a file's content, or what a folder names. Rejects with the system's error. */
export async function toDisk(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync().finally(() => file.close());
}
