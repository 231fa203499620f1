/**
 * The child that reads a user's contexts of docker. Started as root from the daemon's own runtime, it first of all gives
 * root up for good, and execs nothing afterwards (give-up-root.ts). Request on stdin, answer on stdout.
 */
import '../lib/no-inspector.js';
import { readFileSync } from 'node:fs';
import { giveUpRoot } from '../lib/give-up-root.js';
import { messageOf, plain } from '../lib/text.js';
import { type ContextAnswer, requestSchema } from './context-protocol.js';
import { readContext } from './context-read.js';

function answer(): ContextAnswer {
  try {
    const request = requestSchema.parse(JSON.parse(readFileSync(0, 'utf8')));
    giveUpRoot(request.uid, request.gid);
    return readContext(request);
  } catch (error) {
    return { ok: false, message: plain(messageOf(error), 500) };
  }
}

process.stdout.write(`${JSON.stringify(answer())}\n`);
