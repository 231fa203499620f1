import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { SavedOriginal } from '../core/observation.js';
import { replaceFile } from '../lib/replace-file.js';

const originalSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().nonnegative(),
  version: z.string().max(40).nullable(),
});

/** Docker.apps at a time whose original is put aside: Macs have one, and root looks at each again and again. */
export const maxOriginals = 16;

/**
 * The journal of originals: by hyperkit's path, what was put aside there last; null where this version of tuntapd
 * cannot read what another one wrote.
 */
export type Originals = Readonly<Record<string, SavedOriginal | null>>;

/** The journal as it lies there; empty when there is none, or none that makes sense. Rejects with the system's error. */
async function readEntries(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/**
 * The journal at `path`; empty when there is none, or none that can be read: then the originals are journalled anew
 * from what lies in the bundles.
 */
export async function readOriginals(path: string): Promise<Originals> {
  const entries = await readEntries(path).catch(() => ({}));
  return Object.fromEntries(
    Object.entries(entries).map(([hyperkit, entry]) => [
      hyperkit,
      originalSchema.safeParse(entry).data ?? null,
    ]),
  );
}

/**
 * Journals one original, on the disk when it resolves; what another version wrote of others stays. Rejects with the
 * system's error.
 */
export async function saveOriginal(path: string, hyperkit: string, original: SavedOriginal): Promise<void> {
  const originals = { ...(await readEntries(path)), [hyperkit]: original };
  await replaceFile(path, `${JSON.stringify(originals)}\n`);
}

/** Strikes out what was given back or is gone. Rejects with the system's error. */
export async function forgetOriginals(path: string, hyperkits: readonly string[]): Promise<void> {
  const entries = Object.entries(await readEntries(path));
  const left = entries.filter(([hyperkit]) => !hyperkits.includes(hyperkit));
  if (left.length < entries.length) await replaceFile(path, `${JSON.stringify(Object.fromEntries(left))}\n`);
}
