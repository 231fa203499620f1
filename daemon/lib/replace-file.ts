import { chmod, mkdir, open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toDisk } from './to-disk.js';

/**
 * Replaces a file of root's own at once or not at all, also through a power cut: temporary file, fsync, rename, fsync
 * of the folder (which is made if need be). Mode 0600. Rejects with the system's error; then the old file stands.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.new`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, 0o600);
  await rename(temporary, path);
  await toDisk(folder);
}
