/**
 * Puts the shim in hyperkit's place and takes it away again, in the folder that the child stands in. At every moment
 * hyperkit's name is a complete, executable file: names change by link and rename alone, and what a name is moved to
 * is on the disk before (node's fsync is F_FULLFSYNC on macOS).
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { judgeInstall, judgeRestore, type HyperkitFiles } from '../core/docker/hyperkit.js';
import { isStill, type Look, type Looked, openFile, originalName, temporaryPrefix } from './bundle-look.js';
import { Refused } from './bundle-protocol.js';

export interface Change {
  readonly name: string;
  readonly shim: string;
  /** SHA-256 that the journal has: no other file becomes the original or is given back. */
  readonly expected: string | null;
}

const temporary = (name: string): string => `${temporaryPrefix(name)}${process.pid}`;

const filesOf = (name: string, { target, original, leftovers }: Look): HyperkitFiles => ({
  hyperkit: name,
  target: target.file,
  original: original.file,
  saved: null,
  leftovers: leftovers.length > 0,
});

const moved = (name: string): Refused => new Refused('CHANGED', `${name} was changed meanwhile`);

function sync(name: string): void {
  const descriptor = openSync(name, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The content too: a hyperkit that was just copied may be in memory only. */
function syncLooked(name: string, { inode }: Looked): void {
  const descriptor = openFile(name);
  try {
    if (fstatSync(descriptor, { bigint: true }).ino !== inode) throw moved(name);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Gives the file at `name` its second name, in place of whatever had that. */
function keepAsOriginal(name: string, target: Looked, original: Looked): void {
  // rename(2) of two names of one inode does nothing: then an interrupted install has come this far.
  if (target.inode === original.inode) return;
  linkSync(name, temporary(name));
  if (lstatSync(temporary(name), { bigint: true }).ino !== target.inode) throw moved(name);
  renameSync(temporary(name), originalName(name));
  sync('.');
}

function putShim(name: string, shim: string, target: Looked): void {
  const descriptor = openSync(
    temporary(name),
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o755,
  );
  try {
    writeFileSync(descriptor, shim);
    fchmodSync(descriptor, 0o755);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  // An updater does not wait for us: what it has put there meanwhile is not overwritten.
  if (!isStill(name, target)) throw moved(name);
  renameSync(temporary(name), name);
  sync('.');
}

/** Does `work`; no temporary name of ours stays behind, neither its own nor those of interrupted changes. */
function cleanly(name: string, { leftovers }: Look, work: () => void): void {
  for (const leftover of leftovers) unlinkSync(leftover);
  try {
    work();
  } catch (error) {
    if (lstatSync(temporary(name), { throwIfNoEntry: false })) unlinkSync(temporary(name));
    throw error;
  }
}

function expect({ name, expected }: Change, kept: Looked): void {
  if (expected !== null && kept.file.sha256 !== expected) throw moved(name);
}

/** Throws Refused (CHANGED, WAIT, BLOCKED) or the system's error; then hyperkit is as complete as it was. */
export function install(change: Change, seen: Look): void {
  const { name, shim } = change;
  const { target, original } = seen;
  const verdict = judgeInstall(filesOf(name, seen));
  if (verdict.kind === 'done') return;
  if (verdict.kind !== 'change') throw new Refused(verdict.kind.toUpperCase(), verdict.why);
  cleanly(name, seen, () => {
    switch (verdict.change) {
      case 'shim-over-target':
        expect(change, target);
        syncLooked(name, target);
        keepAsOriginal(name, target, original);
        putShim(name, shim, target);
        break;
      case 'shim-over-original':
        expect(change, original);
        syncLooked(originalName(name), original);
        putShim(name, shim, target);
        break;
      case 'record':
      case 'clean':
        break;
    }
  });
}

/** Throws Refused (CHANGED, WAIT, BLOCKED) or the system's error; then hyperkit is as complete as it was. */
export function restore(change: Change, seen: Look): void {
  const { name } = change;
  const { target, original } = seen;
  const verdict = judgeRestore(filesOf(name, seen));
  if (verdict.kind === 'done') return;
  if (verdict.kind !== 'change') throw new Refused(verdict.kind.toUpperCase(), verdict.why);
  cleanly(name, seen, () => {
    switch (verdict.change) {
      case 'give-back':
        expect(change, original);
        syncLooked(originalName(name), original);
        if (!isStill(name, target)) throw moved(name);
        renameSync(originalName(name), name);
        sync('.');
        break;
      case 'drop-original':
        expect(change, target);
        syncLooked(name, target);
        if (!isStill(name, target)) throw moved(name);
        unlinkSync(originalName(name));
        sync('.');
        break;
      case 'clean':
        sync('.');
        break;
    }
  });
}
