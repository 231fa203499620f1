import { type IncomingMessage, request } from 'node:http';
import { z } from 'zod';
import { plain } from '../text.js';

/** An answer the engine refused with, in its own words. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

const mostBytes = 8 * 1024 * 1024;
const longestLine = 256 * 1024;
/** The newest API these requests were written for; an older engine is asked in its own version. */
const newestApi = '1.51';

const versionSchema = z.object({
  Version: z.string().max(100),
  ApiVersion: z.string().regex(/^\d+\.\d+$/),
  MinAPIVersion: z.string().optional(),
});

const older = (a: string, b: string): string => {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB) ? a : b;
};

export interface CallOptions {
  readonly body?: unknown;
  /** Milliseconds without any answer. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface EngineClient {
  /** e.g. `28.5.2` */
  readonly version: string;
  /** A JSON answer that `schema` accepts. Throws EngineError, or an Error when nothing sensible came back. */
  readonly json: <T>(method: string, path: string, schema: z.ZodType<T>, options?: CallOptions) => Promise<T>;
  /** A raw answer, 8 MiB at the most. */
  readonly bytes: (method: string, path: string, options?: CallOptions) => Promise<Buffer>;
  /** Calls `onLine` for every JSON line of an endless answer; resolves when it ends. */
  readonly stream: (
    path: string,
    onLine: (line: unknown) => void,
    options: CallOptions & { onOpen?: () => void; method?: string },
  ) => Promise<void>;
}

function open(
  socketPath: string,
  method: string,
  path: string,
  options: CallOptions,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { body, timeout = 10_000, signal } = options;
    const outgoing = request({
      socketPath,
      method,
      path,
      headers: { host: 'docker', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(signal ? { signal } : {}),
    });
    const timer = setTimeout(() => {
      outgoing.destroy(
        new Error(`Docker Engine did not answer ${method} ${path} within ${timeout / 1000} s`),
      );
    }, timeout);
    outgoing.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    outgoing.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function collect(response: IncomingMessage, timeout: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(
    () => response.destroy(new Error('Docker Engine’s answer did not end in time')),
    timeout,
  );
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > mostBytes) throw new Error(`Docker Engine’s answer is larger than ${mostBytes} bytes`);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}

async function refuse(response: IncomingMessage): Promise<never> {
  const text = (await collect(response, 5000)).toString();
  let message = text;
  try {
    message = z.object({ message: z.string() }).parse(JSON.parse(text)).message;
  } catch {
    // A proxy's own words are as good.
  }
  throw new EngineError(response.statusCode ?? 0, plain(message, 500) || `HTTP ${response.statusCode ?? 0}`);
}

/** Dials the engine on `socketPath` and negotiates the API version from its own `/version`. */
export async function connectEngine(socketPath: string, options: CallOptions = {}): Promise<EngineClient> {
  const call = async (method: string, path: string, how: CallOptions): Promise<Buffer> => {
    const response = await open(socketPath, method, path, how);
    if ((response.statusCode ?? 500) >= 400) return refuse(response);
    return collect(response, how.timeout ?? 10_000);
  };
  const parsed = versionSchema.safeParse(JSON.parse((await call('GET', '/version', options)).toString()));
  if (!parsed.success)
    throw new Error(`what answers on ${socketPath} is not a Docker Engine: ${z.prettifyError(parsed.error)}`);
  const prefix = `/v${older(parsed.data.ApiVersion, newestApi)}`;
  return {
    version: plain(parsed.data.Version.replace(/\+.*$/, ''), 40),
    json: async (method, path, schema, how = {}) => {
      const text = (await call(method, prefix + path, how)).toString();
      const answer = schema.safeParse(text === '' ? undefined : JSON.parse(text));
      if (!answer.success)
        throw new Error(
          `Docker Engine’s answer to ${method} ${path} makes no sense: ${z.prettifyError(answer.error)}`,
        );
      return answer.data;
    },
    bytes: (method, path, how = {}) => call(method, prefix + path, how),
    stream: async (path, onLine, how) => {
      const response = await open(socketPath, how.method ?? 'GET', prefix + path, how);
      if ((response.statusCode ?? 500) >= 400) return refuse(response);
      how.onOpen?.();
      let rest = '';
      for await (const chunk of response as AsyncIterable<Buffer>) {
        rest += chunk.toString();
        if (rest.length > longestLine) throw new Error('Docker Engine sent a line without an end');
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines.filter((text) => text.trim() !== '')) onLine(JSON.parse(line));
      }
    },
  };
}
