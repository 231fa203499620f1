import { chmod, mkdir, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolverFolder } from '../core/names/observation.js';
import { domainIn, isOurs, maxResolverFile } from '../lib/resolver-text.js';
import { type Seen, seen, unknown } from '../core/observation.js';
import { layoutAt } from '../lib/layout.js';
import { replaceFile } from '../lib/replace-file.js';
import { smallFileText } from '../lib/small-file.js';
import { statsOf } from '../lib/stats-of.js';
import { trustIn } from '../lib/trusted-path.js';
import { messageOf, plain } from '../lib/text.js';

/** Where macOS looks for who knows a domain; not there on a Mac as it was bought. */
const resolverFolder = layoutAt().resolvers;

/** A folder of resolvers has a few files, of a few lines. */
const maxFiles = 1000;
const maxOfOthers = 16 * 1024;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

interface Place {
  readonly folder: string;
  /** Where to begin to look who may change it, and whose it is to be: root's. */
  readonly from?: string;
  readonly uid?: number;
}

const usual: Place = { folder: resolverFolder };

/** What stands in the zone's place and is not ours, for people; null: nothing. */
async function foreignAt(path: string): Promise<string | null> {
  const stats = await statsOf(path);
  if (!stats) return null;
  if (stats.isSymbolicLink()) return 'is a link that tuntapd has not made';
  if (!stats.isFile()) return 'is no file';
  const text = await smallFileText(path, maxResolverFile);
  return text !== null && isOurs(text)
    ? null
    : 'is a file that tuntapd has not made, or that was changed since';
}

/** What of names is in the folder; unknown when it cannot be looked at. */
export async function observeResolverFolder(
  zone: string,
  place: Place = usual,
): Promise<Seen<ResolverFolder>> {
  const { folder } = place;
  try {
    const { exists, distrust, isWithinReach } = await trustIn(folder, place);
    if (!isWithinReach) return seen({ exists, distrust, ours: {}, foreign: null });
    const ours: Record<string, string> = {};
    const path = join(folder, zone);
    const inItsPlace = await foreignAt(path);
    let foreign = inItsPlace && `${path} ${inItsPlace}`;
    for (const name of new Set([zone, ...(await readdir(folder)).slice(0, maxFiles)])) {
      const text = await smallFileText(join(folder, name), maxOfOthers);
      if (text === null) continue;
      if (isOurs(text)) ours[name] = text;
      else if (name !== zone && domainIn(text) === zone)
        foreign ??= `${join(folder, plain(name, 80))} is for ${zone}, too (“domain ${zone}”)`;
    }
    return seen({ exists, distrust, ours, foreign });
  } catch (error) {
    return unknown(`${folder} cannot be looked at: ${messageOf(error)}`);
  }
}

/**
 * Puts the zone's file there at once and whole: every file in the folder is read by macOS, a temporary one too, so it is
 * made at `temporary`, on the same volume. Rejects where the folder or what is there is not ours.
 */
export async function writeResolver(
  zone: string,
  text: string,
  temporary: string,
  place: Place = usual,
): Promise<void> {
  const { folder } = place;
  const path = join(folder, zone);
  if (!(await statsOf(folder))) {
    await mkdir(folder, { mode: 0o755 });
    await chmod(folder, 0o755);
  }
  const trouble = (await trustIn(folder, place)).distrust ?? (await foreignAt(path));
  if (trouble !== null) throw new Error(`${path}: ${trouble}`);
  await replaceFile(path, text, { temporary, mode: 0o644 });
}

/**
 * Takes a file of ours away, also out of a folder that somebody has been given since, and with `withFolder` the folder
 * where nothing else is in it. What is not ours stays.
 */
export async function removeResolver(
  zone: string,
  { withFolder = false, ...place }: Partial<Place> & { withFolder?: boolean } = {},
): Promise<void> {
  const where = { ...usual, ...place };
  const path = join(where.folder, zone);
  if (!(await trustIn(where.folder, where)).isWithinReach || (await foreignAt(path)) !== null) return;
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  if (withFolder)
    await rmdir(where.folder).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST')
        throw error;
    });
}
