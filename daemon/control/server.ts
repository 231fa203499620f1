import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from '../lib/http.js';
import { messageOf } from '../lib/text.js';
import { createJobs } from './jobs.js';
import { listenPrivately } from './listen.js';
import { metricsType } from './metrics-listener.js';
import { type Follow, streamStatuses } from './stream.js';
import {
  type Action,
  actions,
  actionTimeout,
  type ErrorAnswer,
  type Outcome,
  rootActions,
  type Status,
  type Version,
} from '../api/messages.js';

type Act = (abandoned?: AbortSignal) => Promise<Outcome>;

/** What the daemon does when it is asked. An action's rejection is answered as an error. */
export interface ControlHandlers {
  readonly version: () => Version;
  /** `null` until the first look is over. */
  readonly status: () => Status | null;
  /** Each status from now on. */
  readonly follow: Follow;
  /** What is counted, in Prometheus’ text format. */
  readonly metrics: () => string;
  /** Each resolves when it is done, or has turned out not to be possible; soon when nobody waits (`abandoned`). */
  readonly up: Act;
  readonly down: Act;
  readonly restart: Act;
  /** Takes the link down and puts hyperkit back as Docker shipped it, until `up`. */
  readonly restore: Act;
  /** Restores everything that was ever changed, for the uninstaller. */
  readonly leave: Act;
}

export interface ControlOptions {
  readonly socketPath: string;
  /** Where root alone may ask. */
  readonly rootSocketPath: string;
  /** Group that may ask; `admin` (80) on a Mac. */
  readonly gid: number;
  readonly handlers: ControlHandlers;
  readonly log: (level: 'info' | 'warn', message: string) => void;
  /** How long an action may take, in ms. */
  readonly timeout?: number;
}

export interface ControlServer {
  /** Answers what has been asked (for half a second at the most), ends, and removes the sockets. */
  readonly close: () => Promise<void>;
}

/** No request has anything to say in its body. */
const maxBytes = 4096;
const gracePeriod = 500;
/** Askers that wait for one action. */
const maxWaiting = 8;
/** Askers that follow the status. */
const maxFollowers = 8;
const knownPath = /^\/v1\/(version|status|watch|metrics)$/;

interface Answer {
  readonly status: number;
  /** As JSON; a text as it is. */
  readonly body: Version | Status | Outcome | ErrorAnswer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

const failure = (
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({ status, body: { error: { code, message } }, headers });

const toAction = (path: string): Action | undefined => actions.find((action) => path === `/v1/${action}`);

/** Reads (and forgets) a body; false when it is larger than any should be. */
async function drain(request: IncomingMessage): Promise<boolean> {
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return false;
  }
  return true;
}

async function inTime(work: Promise<Outcome>, timeout: number): Promise<Outcome | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, timeout, null);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Opens the control socket, and root’s own. Throws when another daemon answers there. Requests are bounded in number, bytes and time,
 * and none can end the daemon.
 */
export async function serveControl(options: ControlOptions): Promise<ControlServer> {
  const { handlers, log, timeout = actionTimeout } = options;

  const jobs = createJobs((action, abandoned) => {
    log('info', `asked over the control socket: ${action}`);
    return handlers[action](abandoned);
  }, maxWaiting);

  async function act(action: Action, response: ServerResponse): Promise<Answer> {
    const waiting = new AbortController();
    const leave = (): void => {
      waiting.abort();
    };
    response.once('close', leave);
    try {
      const work = jobs.take(action, waiting.signal);
      if (!work)
        return failure(503, 'Busy', `${maxWaiting} clients already wait for ${action}: try again later`, {
          'retry-after': '10',
        });
      const outcome = await inTime(work, timeout);
      return outcome
        ? { status: 200, body: outcome }
        : failure(504, 'TimedOut', `${action} is not done after ${timeout / 1000} s; tuntapd continues`);
    } finally {
      leave();
    }
  }

  function look(path: string): Answer {
    if (path === '/v1/version') return { status: 200, body: handlers.version() };
    if (path === '/v1/metrics')
      return {
        status: 200,
        body: handlers.metrics(),
        headers: { 'content-type': metricsType },
      };
    if (path !== '/v1/status') return failure(404, 'NotFound', `there is no ${path}`);
    const status = handlers.status();
    return status
      ? { status: 200, body: status }
      : failure(503, 'Starting', 'tuntapd has just started and has not finished its first look', {
          'retry-after': '1',
        });
  }

  const followers = new Set<ServerResponse>();

  /** Null where the answer goes on for as long as it is listened to. */
  function watch(response: ServerResponse): Answer | null {
    if (followers.size >= maxFollowers)
      return failure(503, 'Busy', `${maxFollowers} others watch already`, { 'retry-after': '10' });
    followers.add(response);
    response.once('close', () => followers.delete(response));
    streamStatuses(response, handlers.status(), handlers.follow);
    return null;
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    isRoot: boolean,
  ): Promise<Answer | null> {
    const [path = ''] = (request.url ?? '').split('?');
    const action = toAction(path);
    const method = action ? 'POST' : 'GET';
    if (!(await drain(request)))
      return failure(413, 'TooLarge', `a request may have ${maxBytes} bytes at most`, {
        connection: 'close',
      });
    if (request.method !== method && (action ?? knownPath.test(path)))
      return failure(405, 'MethodNotAllowed', `${path} is asked with ${method}`, { allow: method });
    if (action && rootActions.includes(action) && !isRoot)
      return failure(
        403,
        'RootOnly',
        action === 'restore'
          ? 'only root restores hyperkit: sudo tuntapctl shim restore'
          : 'only root removes tuntapd: sudo tuntapctl uninstall, or sudo make uninstall-daemon',
      );
    // Whoever hung up while the body was read waits for nothing.
    if (response.destroyed) return failure(499, 'Failed', 'nobody waits');
    if (action) return act(action, response);
    return path === '/v1/watch' ? watch(response) : look(path);
  }

  function send(response: ServerResponse, { status, body, headers }: Answer): void {
    const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    });
    response.end(text);
  }

  async function serve(request: IncomingMessage, response: ServerResponse, isRoot: boolean): Promise<void> {
    let reply: Answer | null;
    try {
      reply = await answer(request, response, isRoot);
    } catch (error) {
      log('warn', `${request.method ?? '?'} ${request.url ?? '?'} failed: ${messageOf(error)}`);
      reply = failure(500, 'Failed', messageOf(error));
    }
    if (reply && !response.destroyed) send(response, reply);
  }

  /** Opens one of the sockets; what it returns closes it. */
  async function open(path: string, access: { gid: number; mode: number }): Promise<() => Promise<void>> {
    const isRoot = path === options.rootSocketPath;
    const server = createServer(
      {
        headersTimeout: 5000,
        requestTimeout: 10_000,
        keepAliveTimeout: 1000,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => {
        void serve(request, response, isRoot);
      },
    );
    server.maxConnections = 64;
    const remove = await listenPrivately(server, path, access);
    server.on('error', (error) => {
      log('warn', `the control socket: ${messageOf(error)}`);
    });
    return async () => {
      await remove();
      for (const response of followers) response.end();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          server.closeAllConnections();
        }, gracePeriod);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      });
    };
  }

  const close = await open(options.socketPath, { gid: options.gid, mode: 0o660 });
  try {
    const closeRoot = await open(options.rootSocketPath, { gid: process.getgid?.() ?? 0, mode: 0o600 });
    return {
      close: async () => {
        await Promise.all([close(), closeRoot()]);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
