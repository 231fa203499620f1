import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import * as z from 'zod';
import { parseUntrusted } from './json.js';
import { jsonLines } from './json-lines.js';
import { boundedBody } from '../lib/bounded-body.js';
import { request } from '../lib/http.js';
import { plain } from '../lib/text.js';

/** An answer the engine refused with, in its own words. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

/** For `catch`: null when what was asked for is not there (any more, 404), whoever removed it; throws anything else. */
export const unlessGone = (error: unknown): null => {
  if (error instanceof EngineError && error.status === 404) return null;
  throw error;
};

/** Milliseconds; an engine that starts twenty containers at once takes its time. */
const defaultTimeout = 30_000;
const maxBytes = 8 * 1024 * 1024;
/** The newest API these requests were written for. */
const newestApi = '1.51';

const apiVersion = z.string().regex(/^\d+\.\d+$/);
const versionSchema = z.object({
  Version: z.string().max(100),
  ApiVersion: apiVersion,
  MinAPIVersion: apiVersion.optional(),
  Arch: z.string().max(100).default(''),
});

const isOlder = (a: string, b: string): boolean => {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB);
};

/** Ours, unless the engine only speaks older ones, or no longer speaks ours. */
export function negotiate({
  ApiVersion: newest,
  MinAPIVersion: oldest,
}: Pick<z.infer<typeof versionSchema>, 'ApiVersion' | 'MinAPIVersion'>): string {
  if (isOlder(newest, newestApi)) return newest;
  return oldest !== undefined && isOlder(newestApi, oldest) ? oldest : newestApi;
}

/** What an answer's text says; undefined when it is empty. Throws when a proxy or a web server wrote it. */
function parseJson(text: string, asked: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return parseUntrusted(text);
  } catch (cause) {
    throw new Error(`the answer to ${asked} is not JSON, so no Docker Engine gave it: ${plain(text, 120)}`, {
      cause,
    });
  }
}

export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: { readonly type: string; readonly bytes: Buffer };
  /** Milliseconds without any answer; 30 000 unless told. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface EngineClient {
  /** e.g. `28.5.2` */
  readonly version: string;
  /** The processor of the VM, in Go's word for it, e.g. `amd64`. */
  readonly architecture: string;
  /** A JSON answer that `schema` accepts. Throws EngineError, or an Error when nothing sensible came back. */
  readonly json: <T>(method: string, path: string, schema: z.ZodType<T>, options?: CallOptions) => Promise<T>;
  /** A raw answer, 8 MiB at the most. */
  readonly bytes: (method: string, path: string, options?: CallOptions) => Promise<Buffer>;
  /** Calls `onLine` for every JSON line of an endless answer, leaving out what is none; resolves when it ends. */
  readonly stream: (
    path: string,
    onLine: (line: unknown) => void,
    options: CallOptions & { onOpen?: () => void },
  ) => Promise<void>;
  /**
   * The connection itself after a POST that turns it into a container's streams, asked for as the docker command does:
   * without `Upgrade` Docker Desktop's proxy delivers no stdin (docker-modem pull 148, moby 43799).
   */
  readonly attach: (path: string, options?: CallOptions) => Promise<Duplex>;
}

const json = (body: unknown): { type: string; bytes: Buffer } => ({
  type: 'application/json',
  bytes: Buffer.from(JSON.stringify(body)),
});

/** An answer, or the connection where it was turned into something else. */
type Exchanged = { readonly connection: Duplex } | { readonly response: IncomingMessage };

/** `wanted`: the protocol that the connection is to change to; then an engine may answer with the connection itself. */
function exchange(
  dial: Dial,
  method: string,
  path: string,
  options: CallOptions & { wanted?: string },
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const { body, raw, timeout = defaultTimeout, signal, wanted } = options;
    const content = raw ?? (body === undefined ? undefined : json(body));
    // One signal ends any number of requests, and each listens only while it is under way.
    if (signal) setMaxListeners(0, signal);
    const outgoing = request({
      createConnection: (_options, onSocket) => {
        // The type wants a socket even with an error.
        const failed = onSocket as (error: Error) => void;
        dial().then((socket) => {
          // A request that is given a closed socket never ends.
          if (socket.destroyed || socket.readableEnded) failed(new Error('Docker Engine hung up'));
          else onSocket(null, socket);
        }, failed);
        return undefined;
      },
      method,
      path,
      headers: {
        host: 'docker',
        ...(content ? { 'content-type': content.type, 'content-length': content.bytes.length } : {}),
        ...(wanted === undefined ? {} : { connection: 'Upgrade', upgrade: wanted }),
      },
      ...(signal ? { signal } : {}),
    });
    const timer = setTimeout(() => {
      const error = new Error(`Docker Engine did not answer ${method} ${path} within ${timeout / 1000} s`);
      outgoing.destroy(error);
      reject(error);
    }, timeout);
    outgoing.once('response', (response) => {
      clearTimeout(timer);
      resolve({ response });
    });
    outgoing.once('upgrade', (_response, connection, head) => {
      clearTimeout(timer);
      if (head.length > 0) connection.unshift(head);
      resolve({ connection });
    });
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.once('close', () => {
      clearTimeout(timer);
      reject(new Error('Docker Engine hung up'));
    });
    outgoing.end(content?.bytes);
  });
}

async function open(
  dial: Dial,
  method: string,
  path: string,
  options: CallOptions,
): Promise<IncomingMessage> {
  const answer = await exchange(dial, method, path, options);
  if ('response' in answer) return answer.response;
  answer.connection.destroy();
  throw new Error(`Docker Engine answered ${method} ${path} with another protocol`);
}

async function collect(response: IncomingMessage, timeout: number): Promise<Buffer> {
  const timer = setTimeout(
    () => response.destroy(new Error('Docker Engine’s answer did not end in time')),
    timeout,
  );
  const tooLong = `Docker Engine’s answer is larger than ${maxBytes} bytes`;
  try {
    return await boundedBody(response as AsyncIterable<Buffer>, maxBytes, tooLong);
  } finally {
    clearTimeout(timer);
  }
}

async function refuse(response: IncomingMessage): Promise<never> {
  const text = (await collect(response, 5000)).toString();
  let message = text;
  try {
    message = z.object({ message: z.string() }).parse(parseUntrusted(text)).message;
  } catch {
    // A proxy's own words are as good.
  }
  throw new EngineError(response.statusCode ?? 0, plain(message, 500) || `HTTP ${response.statusCode ?? 0}`);
}

export type Dial = () => Promise<Socket>;

/** Asks the engine that `dial` connects to and negotiates the API version from its own `/version`. */
export async function connectEngine(dial: Dial, options: CallOptions = {}): Promise<EngineClient> {
  const call = async (method: string, path: string, how: CallOptions): Promise<Buffer> => {
    const response = await open(dial, method, path, how);
    if ((response.statusCode ?? 500) >= 400) return refuse(response);
    return collect(response, how.timeout ?? defaultTimeout);
  };
  const said = parseJson((await call('GET', '/version', options)).toString(), 'GET /version');
  const parsed = versionSchema.safeParse(said);
  if (!parsed.success)
    throw new Error(`what answers is not a Docker Engine: ${plain(z.prettifyError(parsed.error))}`);
  const prefix = `/v${negotiate(parsed.data)}`;
  return {
    version: plain(parsed.data.Version.replace(/\+.*$/, ''), 40),
    architecture: parsed.data.Arch,
    json: async (method, path, schema, how = {}) => {
      const text = (await call(method, prefix + path, how)).toString();
      const answer = schema.safeParse(parseJson(text, `${method} ${path}`));
      if (!answer.success)
        throw new Error(
          `Docker Engine’s answer to ${method} ${path} makes no sense: ${plain(z.prettifyError(answer.error))}`,
        );
      return answer.data;
    },
    bytes: (method, path, how = {}) => call(method, prefix + path, how),
    stream: async (path, onLine, how) => {
      const response = await open(dial, 'GET', prefix + path, how);
      if ((response.statusCode ?? 500) >= 400) return refuse(response);
      how.onOpen?.();
      for await (const line of jsonLines(response as AsyncIterable<Buffer>)) onLine(line);
    },
    attach: async (path, how = {}) => {
      const answer = await exchange(dial, 'POST', prefix + path, { ...how, wanted: 'tcp' });
      if ('connection' in answer) return answer.connection;
      if ((answer.response.statusCode ?? 500) >= 400) return refuse(answer.response);
      answer.response.destroy();
      throw new Error('Docker Engine, or a proxy before it, does not hand over a container’s streams');
    },
  };
}
