/**
 * The child that does all work inside a user's bundle. Started as root from the daemon's own runtime, it first of all
 * gives root up for good, pins hyperkit's folder by chdir and inode, and from then on uses relative names only, so
 * nothing outside that folder can be reached whatever its owner swaps meanwhile. Request on stdin, answer on stdout.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { HyperkitFile } from '../observation.js';
import { plain } from '../text.js';
import { requestSchema, type WorkerAnswer, type WorkerRequest } from './bundle-protocol.js';
import { recognise } from './recognise.js';

const mostPlistBytes = 1_048_576;

class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function becomeOwner({ uid, gid }: WorkerRequest): void {
  if (uid === 0) return;
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  try {
    process.setuid?.(0);
  } catch {
    return;
  }
  throw new Refused('ROOT', 'root could not be given up');
}

function enter({ folder, device, inode, uid }: WorkerRequest): void {
  process.chdir(folder);
  const here = statSync('.');
  if (here.dev !== device || here.ino !== inode)
    throw new Refused('MOVED', `${folder} was replaced meanwhile`);
  if (here.uid !== uid) throw new Refused('OWNER', `${folder} does not belong to uid ${uid}`);
  if (uid === 0 && (here.mode & 0o022) !== 0)
    throw new Refused('WRITABLE', `${folder} belongs to root but others may write it`);
}

const missing: HyperkitFile = { kind: 'missing', detail: '', sha256: null, mtime: 0 };
const refused = (detail: string): HyperkitFile => ({ ...missing, kind: 'refused', detail });
const original = (name: string): string => `${name}.original`;

const temporary = (name: string): string => `.${name}.tuntapd-new`;

/** How many names our own interrupted install may have left for one file; any other hard link may come from anywhere. */
const ownLinks = (name: string, inode: number): number =>
  [name, original(name), temporary(name)].filter(
    (own) => lstatSync(own, { throwIfNoEntry: false })?.ino === inode,
  ).length;

function inspectFile(file: string, name: string, request: WorkerRequest): HyperkitFile {
  let descriptor: number;
  try {
    // A symlink is not followed, and a planted FIFO does not stall.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return missing;
    if (code === 'ELOOP') return refused('it is a symbolic link');
    throw error;
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return refused('it is no regular file');
    if (stats.uid !== request.uid)
      return refused(`it belongs to uid ${stats.uid}, its folder to uid ${request.uid}`);
    if (request.uid === 0 && (stats.mode & 0o022) !== 0)
      return refused('it belongs to root but others may write it');
    if (stats.nlink > 1 && stats.nlink !== ownLinks(name, stats.ino))
      return refused('it has another hard link elsewhere');
    const bytes = readFileSync(descriptor);
    const { kind, detail } = recognise(bytes, request.shim);
    const executable = (stats.mode & 0o100) !== 0;
    return {
      kind: kind === 'mach-o' && !executable ? 'incomplete' : kind,
      detail: kind === 'mach-o' && !executable ? 'it is not executable' : plain(detail),
      sha256: kind === 'mach-o' ? createHash('sha256').update(bytes).digest('hex') : null,
      mtime: stats.mtimeMs,
    };
  } finally {
    closeSync(descriptor);
  }
}

function syncFolder(): void {
  const descriptor = openSync('.', constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** CFBundleShortVersionString of the app around the folder; null when its Info.plist does not say it in XML. */
function bundleVersion(folder: string): string | null {
  const above = folder.slice(folder.lastIndexOf('/Contents/') + '/Contents/'.length).split('/');
  try {
    const descriptor = openSync(
      `${above.map(() => '..').join('/')}/Info.plist`,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile() || stats.size > mostPlistBytes) return null;
      const text = readFileSync(descriptor, 'utf8');
      return (
        /<key>CFBundleShortVersionString<\/key>\s*<string>([\w.+ -]{1,40})<\/string>/.exec(text)?.[1] ?? null
      );
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
}

function look(request: WorkerRequest): {
  version: string | null;
  target: HyperkitFile;
  original: HyperkitFile;
} {
  return {
    version: bundleVersion(request.folder),
    target: inspectFile(request.name, request.name, request),
    original: inspectFile(original(request.name), request.name, request),
  };
}

/** Puts a complete `.original` in place of whatever stood there: link under a temporary name, then rename. */
function keepOriginal(name: string): void {
  rmSync(temporary(name), { force: true });
  linkSync(name, temporary(name));
  renameSync(temporary(name), original(name));
  // rename(2) of two names of one inode does nothing and leaves the temporary name.
  rmSync(temporary(name), { force: true });
  syncFolder();
}

function install(request: WorkerRequest): void {
  const { name, shim } = request;
  const seen = look(request);
  if (seen.target.kind === 'shim') return;
  const replaceable = ['mach-o', 'missing', 'outdated-shim', 'docker-tuntap-osx-shim'];
  if (!replaceable.includes(seen.target.kind))
    throw new Refused(
      seen.target.kind.toUpperCase(),
      `${name} is ${seen.target.kind}: ${seen.target.detail}`,
    );
  if (seen.target.kind === 'mach-o') keepOriginal(name);
  else if (seen.original.kind !== 'mach-o')
    throw new Refused('NOORIGINAL', `${original(name)} is ${seen.original.kind}`);
  rmSync(temporary(name), { force: true });
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
  renameSync(temporary(name), name);
  syncFolder();
}

function restore(request: WorkerRequest): void {
  const { name } = request;
  const seen = look(request);
  rmSync(temporary(name), { force: true });
  if (seen.target.kind === 'mach-o') {
    // What stands at hyperkit's path is Docker's own; an original beside it is a copy of ours or an older version's.
    if (seen.original.kind === 'mach-o') rmSync(original(name));
  } else if (['shim', 'outdated-shim', 'missing'].includes(seen.target.kind)) {
    if (seen.original.kind !== 'mach-o')
      throw new Refused('NOORIGINAL', `${original(name)} is ${seen.original.kind}; reinstall Docker Desktop`);
    renameSync(original(name), name);
  } else
    throw new Refused(
      seen.target.kind.toUpperCase(),
      `${name} is ${seen.target.kind}: ${seen.target.detail}`,
    );
  syncFolder();
}

function work(): WorkerAnswer {
  try {
    const request = requestSchema.parse(JSON.parse(readFileSync(0, 'utf8')));
    becomeOwner(request);
    enter(request);
    process.umask(0o022);
    if (request.action === 'install') install(request);
    if (request.action === 'restore') restore(request);
    return { ok: true, ...look(request) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { ok: false, code: code ?? 'FAILED', message: plain(message, 1000) };
  }
}

process.stdout.write(`${JSON.stringify(work())}\n`);
