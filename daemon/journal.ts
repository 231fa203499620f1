import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { messageOf } from './text.js';

const journalSchema = z.object({
  wanted: z.enum(['up', 'down', 'restored']).default('up'),
  ownedRoutes: z.array(z.object({ subnet: z.string(), gateway: z.string() })).default([]),
});

/** What must outlive the daemon: whether a person took the link down, and which routes are ours. */
export type Journal = z.infer<typeof journalSchema>;

/**
 * The journal at `path`, or its defaults with the reason when there is none that can be read: a daemon that forgot
 * its routes still works, one that does not start helps nobody.
 */
export async function readJournal(path: string): Promise<{ journal: Journal; trouble: string | null }> {
  try {
    return {
      journal: journalSchema.parse(JSON.parse(await readFile(path, 'utf8'))),
      trouble: null,
    };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return {
      journal: journalSchema.parse({}),
      trouble: absent ? null : `${path} cannot be read and starts anew: ${messageOf(error)}`,
    };
  }
}

/** Replaces the journal at once or not at all: temporary file, fsync, rename, fsync of the folder. */
export async function writeJournal(path: string, journal: Journal): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, '.journal.new');
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(journal)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, 0o600);
  await rename(temporary, path);
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
