import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { replaceFile } from '../lib/replace-file.js';
import { messageOf, plain } from '../lib/text.js';

/** A bundle's identity. Earlier versions wrote the number of its device before it, which another start of the Mac changes. */
const bundleIdentity = z.string().transform((identity) => identity.replace(/^\d+:(?=\d+$)/, ''));

const journalSchema = z.object({
  wanted: z.enum(['up', 'down', 'restored']).default('up'),
  ownedRoutes: z
    .array(z.object({ subnet: z.string(), gateway: z.string(), interface: z.string().optional() }))
    .default([]),
  launched: z.array(bundleIdentity).default([]),
  apps: z.array(z.string()).default([]),
  restart: z
    .object({
      attempts: z.array(z.object({ vm: z.string(), bundle: bundleIdentity, failed: z.string().nullable() })),
      told: z.string().nullable(),
      asked: z.number(),
      reopen: z.object({ app: z.string(), uid: z.number(), gui: z.number(), at: z.number() }).nullable(),
    })
    .default({ attempts: [], told: null, asked: 0, reopen: null }),
  toldBlocked: z.array(z.string()).default([]),
  lastLink: z.enum(['tap', 'vmnet']).nullable().default(null),
});

/** Of a journal of another version of tuntapd whatever this one understands. Throws ZodError when it is no object. */
function understood(said: unknown): Journal {
  const entries = z.record(z.string(), z.unknown()).parse(said);
  return journalSchema.parse(
    Object.fromEntries(
      Object.entries(journalSchema.shape).flatMap(([key, field]) => {
        const read = field.safeParse(entries[key]);
        return read.success ? [[key, read.data]] : [];
      }),
    ),
  );
}

/**
 * What must outlive the daemon: whether a person took the link down, which routes are ours, which bundles have been
 * started, whether Docker was restarted or is still to be opened again, of what its user was told, and which link its last
 * VM took.
 */
export type Journal = z.infer<typeof journalSchema>;

/**
 * The journal at `path`, or its defaults with the reason when there is none that can be read: a daemon that forgot
 * its routes still works, one that does not start helps nobody. What makes no sense of it costs nothing of the rest.
 */
export async function readJournal(path: string): Promise<{ journal: Journal; trouble: string | null }> {
  try {
    const said: unknown = JSON.parse(await readFile(path, 'utf8'));
    const read = journalSchema.safeParse(said);
    if (read.success) return { journal: read.data, trouble: null };
    return {
      journal: understood(said),
      trouble: `some of ${path} cannot be read and starts anew: ${plain(read.error.message)}`,
    };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return {
      journal: journalSchema.parse({}),
      trouble: absent ? null : `${path} cannot be read and starts anew: ${messageOf(error)}`,
    };
  }
}

/** Replaces the journal at once or not at all. */
export const writeJournal = (path: string, journal: Journal): Promise<void> =>
  replaceFile(path, `${JSON.stringify(journal)}\n`);
