/** Reads what a user has chosen in docker, as that user: in the child that has given root up, and nowhere else. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import * as z from 'zod';
import {
  type ContextAnswer,
  contextFile,
  type ContextRequest,
  metaFile,
  type SettingsAnswer,
  settingsFiles,
  type SettingsRequest,
} from './context-protocol.js';

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

/** The context, with where its socket really lies; null there where that is no path of this Mac's. */
function contextOf(name: string, host: string): ContextAnswer {
  const [, path] = /^unix:\/\/(\/.*)$/s.exec(host) ?? [];
  if (path === undefined) return { ok: true, context: { name, host, socket: null } };
  try {
    return { ok: true, context: { name, host, socket: realpathSync(path) } };
  } catch {
    // It is made when the engine starts.
    return { ok: true, context: { name, host, socket: path }, unmade: true };
  }
}

/** The user's current context, or the one of this name. Throws when a file is there and cannot be taken. */
export function readContext({ home, name: wanted }: ContextRequest): ContextAnswer {
  const config = wanted === null ? configSchema.parse(jsonIn(contextFile(home)) ?? {}) : null;
  const name = wanted ?? (config?.currentContext || 'default');
  if (name === 'default') return contextOf(name, defaultHost);
  const found = jsonIn(metaFile(home, name));
  if (found === null) return { ok: true, context: null };
  return contextOf(name, metaSchema.parse(found).Endpoints.docker.Host);
}

/** Holds only what is not the default, which is off (docs.docker.com, settings-reference). */
const storeSchema = z.looseObject({ KernelForUDP: z.boolean().default(false) });
/** Its default has changed from one release to the next (4.24: on). */
const olderSchema = z.looseObject({ kernelForUDP: z.boolean().nullish() });

/** Whether the user’s Docker Desktop is to give its VM a NIC of macOS’s. Throws when a file is there and cannot be taken. */
export function readSettings({ home }: SettingsRequest): SettingsAnswer {
  const { store, older } = settingsFiles(home);
  const stored = jsonIn(store);
  if (stored !== null) return { ok: true, kernelForUdp: storeSchema.parse(stored).KernelForUDP };
  return { ok: true, kernelForUdp: olderSchema.parse(jsonIn(older) ?? {}).kernelForUDP ?? null };
}
