import { chmod, mkdir, open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toDisk } from './to-disk.js';

/**
 * Replaces a file of root's own at once or not at all, also through a power cut: `temporary` on the same volume, whose folder
 * is made if need be, fsync, rename, fsync of the folder. Rejects with the system's error; then the old file stands.
 */
export async function replaceFile(
  path: string,
  text: string,
  {
    temporary = join(dirname(path), `.${basename(path)}.new`),
    mode = 0o600,
  }: { temporary?: string; mode?: number } = {},
): Promise<void> {
  await mkdir(dirname(temporary), { recursive: true, mode: 0o700 });
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, mode);
  await rename(temporary, path);
  await toDisk(dirname(path));
}
