/** Reads a user's contexts of docker, as that user: in the child that has given root up, and nowhere else. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type ContextAnswer, contextFile, type ContextRequest } from './context-protocol.js';

/** Bytes of a file at the most; docker's own have a few hundred. */
const maxSize = 1_048_576;

/** Where docker's context `default` leads on a Mac (docker/cli cli/context/store). */
const defaultHost = 'unix:///var/run/docker.sock';

const configSchema = z.looseObject({ currentContext: z.string().max(256).optional() });

/** `meta.json` of a context (docker/cli cli/context/store/metadatastore.go). */
const metaSchema = z.looseObject({
  Name: z.string(),
  Endpoints: z.looseObject({ docker: z.looseObject({ Host: z.string().max(1024) }) }),
});

/** Without the parser's own words, which quote the text: the user's passwords for registries may stand there. */
function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${path} is no JSON`);
  }
}

/** The JSON in a file, or null where there is none. Nothing but a regular file of a bearable size is read. */
function jsonIn(path: string): unknown {
  let file: number;
  try {
    // A FIFO would hold whoever opens it.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
    if (stats.size > maxSize) throw new Error(`${path} has more than ${maxSize} bytes`);
    const bytes = Buffer.alloc(stats.size);
    return parsed(path, bytes.subarray(0, readSync(file, bytes)).toString());
  } finally {
    closeSync(file);
  }
}

/** Where the socket of a host really lies; null where that is no path of this Mac's. */
function socketOf(host: string): string | null {
  const [, path] = /^unix:\/\/(\/.*)$/s.exec(host) ?? [];
  if (path === undefined) return null;
  try {
    return realpathSync(path);
  } catch {
    // It is made when the engine starts.
    return path;
  }
}

/** The user's current context, or the one of this name. Throws when a file is there and cannot be taken. */
export function readContext({ home, name: wanted }: ContextRequest): ContextAnswer {
  const config = wanted === null ? configSchema.parse(jsonIn(contextFile(home)) ?? {}) : null;
  const name = wanted ?? (config?.currentContext || 'default');
  if (name === 'default')
    return { ok: true, context: { name, host: defaultHost, socket: socketOf(defaultHost) } };
  const id = createHash('sha256').update(name).digest('hex');
  const found = jsonIn(join(home, '.docker/contexts/meta', id, 'meta.json'));
  if (found === null) return { ok: true, context: null };
  const { Host: host } = metaSchema.parse(found).Endpoints.docker;
  return { ok: true, context: { name, host, socket: socketOf(host) } };
}
