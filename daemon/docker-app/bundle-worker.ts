/**
 * The child that does all work inside a user's bundle. Started as root from the daemon's own runtime, it first of all
 * gives root up for good, and execs nothing afterwards (give-up-root.ts). Request on stdin, answer on stdout.
 */
import '../lib/no-inspector.js';
import { readFileSync } from 'node:fs';
import { giveUpRoot } from '../lib/give-up-root.js';
import { plain } from '../lib/text.js';
import { requestSchema, type WorkerAnswer } from './bundle-protocol.js';
import { work } from './bundle-work.js';

function answer(): WorkerAnswer {
  try {
    const request = requestSchema.parse(JSON.parse(readFileSync(0, 'utf8')));
    giveUpRoot(request.uid, request.gid);
    process.umask(0o022);
    return work(request);
  } catch (error) {
    return { ok: false, code: 'FAILED', message: plain(String(error), 1000) };
  }
}

process.stdout.write(`${JSON.stringify(answer())}\n`);
