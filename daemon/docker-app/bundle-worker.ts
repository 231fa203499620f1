/**
 * The child that does all work inside a user's bundle. Started as root from the daemon's own runtime, it first of all
 * gives root up for good. Request on stdin, answer on stdout.
 */
import { readFileSync } from 'node:fs';
import { plain } from '../text.js';
import { requestSchema, type WorkerAnswer, type WorkerRequest } from './bundle-protocol.js';
import { work } from './bundle-work.js';

function becomeOwner({ uid, gid }: WorkerRequest): void {
  if (uid === 0 || process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  try {
    process.setuid?.(0);
  } catch {
    return;
  }
  throw new Error('root could not be given up');
}

function answer(): WorkerAnswer {
  try {
    const request = requestSchema.parse(JSON.parse(readFileSync(0, 'utf8')));
    becomeOwner(request);
    process.umask(0o022);
    return work(request);
  } catch (error) {
    return { ok: false, code: 'FAILED', message: plain(String(error), 1000) };
  }
}

process.stdout.write(`${JSON.stringify(answer())}\n`);
