import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Replaces the configuration file at once or not at all, readable by everyone and writable by its owner only. The
 * folder is made, likewise, when it is missing. Throws what the file system says (EACCES without root).
 */
export async function writeConfigText(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  // Root's umask may be 077, and everybody reads the configuration.
  if ((await mkdir(folder, { recursive: true })) !== undefined) await chmod(folder, 0o755);
  const temporary = join(folder, `.config.${process.pid}.new`);
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o644);
  try {
    await file.writeFile(text);
    await file.chmod(0o644);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
