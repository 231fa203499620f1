import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { SavedOriginal } from '../observation.js';
import { replaceFile } from '../replace-file.js';

const originalsSchema = z.record(
  z.string(),
  z.object({
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    size: z.number().nonnegative(),
    version: z.string().max(40).nullable(),
  }),
);

/** The journal of originals: by hyperkit's path, what was put aside there last. */
export type Originals = Readonly<Record<string, SavedOriginal>>;

/**
 * The journal at `path`; empty when there is none, or none that can be read: then the originals are journalled anew
 * from what lies in the bundles.
 */
export async function readOriginals(path: string): Promise<Originals> {
  try {
    return originalsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}

/** Journals one original, on the disk when it resolves. Rejects with the system's error. */
export async function saveOriginal(path: string, hyperkit: string, original: SavedOriginal): Promise<void> {
  const originals = { ...(await readOriginals(path)), [hyperkit]: original };
  await replaceFile(path, `${JSON.stringify(originals)}\n`);
}
