/**
 * One request in a user's bundle, done with the rights that the process has. Hyperkit's folder is entered step by
 * step and pinned by chdir; from then on relative names only, so nothing outside that folder can be reached whatever
 * its owner swaps meanwhile (node has no openat).
 */
import { closeSync, fstatSync, lstatSync, readSync, statSync } from 'node:fs';
import { dirname, basename } from 'node:path';
import { plain } from '../lib/text.js';
import { install, restore } from './bundle-change.js';
import { look, openFile } from './bundle-look.js';
import { Refused, type WorkerAnswer, type WorkerRequest } from './bundle-protocol.js';

const maxPlistBytes = 1_048_576;

/** CFBundleShortVersionString of the Info.plist in the current folder; null when it does not say it in XML. */
function bundleVersion(): string | null {
  try {
    const descriptor = openFile('Info.plist');
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile() || stats.size > maxPlistBytes) return null;
      const bytes = Buffer.alloc(stats.size);
      const text = bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)).toString('utf8');
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

/** Goes down into one folder. A symbolic link is not followed, also not one that comes between look and step. */
function descend(name: string, path: string, uid: number): void {
  const seen = lstatSync(name, { bigint: true });
  if (seen.isSymbolicLink()) throw new Refused('LINK', `${path} is a symbolic link`);
  process.chdir(name);
  const here = statSync('.', { bigint: true });
  if (here.ino !== seen.ino || here.dev !== seen.dev)
    throw new Refused('MOVED', `${path} was replaced meanwhile`);
  if (Number(here.uid) !== uid) throw new Refused('OWNER', `${path} does not belong to uid ${uid}`);
  if (uid === 0 && (here.mode & 0o022n) !== 0n)
    throw new Refused('WRITABLE', `${path} belongs to root but others may write it`);
}

/** Stands in hyperkit's folder afterwards; returns the app's version. */
function enter({ app, way, folder, uid }: WorkerRequest): string | null {
  process.chdir(dirname(app));
  let path = dirname(app);
  let version: string | null = null;
  for (const name of [basename(app), ...way]) {
    path = path === '/' ? `/${name}` : `${path}/${name}`;
    descend(name, path, uid);
    if (path === `${app}/Contents`) version = bundleVersion();
  }
  const here = statSync('.', { bigint: true });
  if (`${here.dev}:${here.ino}` !== folder) throw new Refused('MOVED', `${path} was replaced meanwhile`);
  return version;
}

/** Never throws: what went wrong is the answer. */
export function work(request: WorkerRequest): WorkerAnswer {
  try {
    const version = enter(request);
    const seen = look(request.name, request);
    if (request.action === 'install') install(request, seen);
    if (request.action === 'restore') restore(request, seen);
    const now = request.action === 'inspect' ? seen : look(request.name, request);
    return {
      ok: true,
      version,
      target: now.target.file,
      original: now.original.file,
      leftovers: now.leftovers.length > 0,
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { ok: false, code: code ?? 'FAILED', message: plain(message, 1000) };
  }
}
