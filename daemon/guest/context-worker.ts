/**
 * The child that reads what a user has chosen in docker: a context, or a setting of Docker Desktop's. Started as root
 * from the daemon's own runtime, it first of all gives root up for good, and execs nothing afterwards (give-up-root.ts).
 * Request on stdin, answer on stdout.
 */
import '../lib/no-inspector.js';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { giveUpRoot } from '../lib/give-up-root.js';
import { messageOf, plain } from '../lib/text.js';
import {
  type ContextAnswer,
  requestSchema,
  type SettingsAnswer,
  settingsRequestSchema,
} from './context-protocol.js';
import { readContext, readSettings } from './context-read.js';

function answer(): ContextAnswer | SettingsAnswer {
  try {
    const request = z
      .union([requestSchema, settingsRequestSchema])
      .parse(JSON.parse(readFileSync(0, 'utf8')));
    giveUpRoot(request.uid, request.gid);
    return 'settings' in request ? readSettings(request) : readContext(request);
  } catch (error) {
    return { ok: false, message: plain(messageOf(error), 500) };
  }
}

process.stdout.write(`${JSON.stringify(answer())}\n`);
