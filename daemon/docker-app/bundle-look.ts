/** What hyperkit's two files are, seen from the folder that the child stands in. Relative names only. */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readSync,
} from 'node:fs';
import type { HyperkitFile } from '../core/observation.js';
import { plain } from '../lib/text.js';
import { recognise } from './recognise.js';

/** One of the two files, and by which inode it can be known again. */
export interface Looked {
  readonly file: HyperkitFile;
  readonly inode: bigint | null;
}

export interface Look {
  readonly target: Looked;
  readonly original: Looked;
  /** Names that interrupted changes of ours left beside them. */
  readonly leftovers: readonly string[];
}

const chunk = 1_048_576;
/** A folder with more entries is no folder of Docker's. */
const maxEntries = 10_000;

export const originalName = (name: string): string => `${name}.original`;

/** Begins every temporary name of ours; the rest is the process's own, so that no two ever write one file. */
export const temporaryPrefix = (name: string): string => `.${name}.tuntapd-`;

const missing: HyperkitFile = { kind: 'missing', detail: '', sha256: null, size: 0, mtime: 0 };
const refused = (detail: string): Looked => ({
  file: { ...missing, kind: 'refused', detail },
  inode: null,
});

/** Opens a regular file for reading: no symbolic link is followed, a FIFO put there meanwhile does not stall. */
export const openFile = (name: string): number =>
  openSync(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);

function findLeftovers(name: string): string[] {
  const found: string[] = [];
  const directory = opendirSync('.');
  try {
    for (let count = 0; count < maxEntries; count += 1) {
      const entry = directory.readSync();
      if (!entry) break;
      if (entry.name.startsWith(temporaryPrefix(name))) found.push(entry.name);
    }
  } finally {
    directory.closeSync();
  }
  return found.sort();
}

const unchanged = (before: BigIntStats, after: BigIntStats): boolean =>
  before.ino === after.ino &&
  before.dev === after.dev &&
  before.size === after.size &&
  before.mtimeNs === after.mtimeNs;

/** Whether `name` still is the very file that was looked at, with nothing written to it since. */
export function isStill(name: string, { file, inode }: Looked): boolean {
  const stats = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  if (!stats) return inode === null && file.kind === 'missing';
  return stats.ino === inode && Number(stats.size) === file.size && Number(stats.mtimeMs) === file.mtime;
}

function readerOf(descriptor: number): (offset: number, length: number) => Buffer {
  return (offset, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
  };
}

function hashOf(descriptor: number, size: number): string {
  const hash = createHash('sha256');
  const bytes = Buffer.alloc(Math.min(chunk, size));
  for (let at = 0; at < size;) {
    const count = readSync(descriptor, bytes, 0, Math.min(bytes.length, size - at), at);
    if (count === 0) break;
    hash.update(bytes.subarray(0, count));
    at += count;
  }
  return hash.digest('hex');
}

function lookAt(name: string, own: readonly string[], { uid, shim }: { uid: number; shim: string }): Looked {
  const first = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  if (!first) return { file: missing, inode: null };
  if (first.isSymbolicLink()) return refused('it is a symbolic link');
  if (!first.isFile()) return refused('it is no regular file');
  const descriptor = openFile(name);
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    if (!stats.isFile() || stats.ino !== first.ino) return refused('it was replaced while it was looked at');
    if (Number(stats.uid) !== uid)
      return refused(`it belongs to uid ${Number(stats.uid)}, its folder to uid ${uid}`);
    if (uid === 0 && (stats.mode & 0o022n) !== 0n)
      return refused('it belongs to root but others may write it');
    // Our own interrupted install leaves several names for one file; any other link may come from anywhere.
    const links = own.filter(
      (other) => lstatSync(other, { bigint: true, throwIfNoEntry: false })?.ino === stats.ino,
    ).length;
    if (stats.nlink > 1n && Number(stats.nlink) !== links)
      return refused('it has another hard link elsewhere');
    const size = Number(stats.size);
    let { kind, detail } = recognise({ size, read: readerOf(descriptor) }, shim);
    if (kind === 'mach-o' && (stats.mode & 0o100n) === 0n)
      [kind, detail] = ['incomplete', 'it is not executable'];
    if (kind === 'shim' && (stats.mode & 0o555n) !== 0o555n) kind = 'outdated-shim';
    const sha256 = kind === 'mach-o' ? hashOf(descriptor, size) : null;
    if (!unchanged(stats, fstatSync(descriptor, { bigint: true })))
      [kind, detail] = ['incomplete', 'it is being written'];
    return {
      file: {
        kind,
        detail: plain(detail),
        sha256: kind === 'mach-o' ? sha256 : null,
        size,
        mtime: Number(stats.mtimeMs),
      },
      inode: stats.ino,
    };
  } finally {
    closeSync(descriptor);
  }
}

/** Both files of hyperkit `name` in the current folder, which belongs to `uid`. */
export function look(name: string, given: { uid: number; shim: string }): Look {
  const leftovers = findLeftovers(name);
  const own = [name, originalName(name), ...leftovers];
  return {
    target: lookAt(name, own, given),
    original: lookAt(originalName(name), own, given),
    leftovers,
  };
}
