import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Listen } from '../../config/listen.js';
import { createServer } from '../lib/http.js';
import { messageOf } from '../lib/text.js';

/** What Prometheus' text format is called (exposition format 0.0.4). */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** Milliseconds after which an address that is taken is tried again. */
const retry = 30_000;

/** A page in a browser reaches this port by a name of its own that leads to 127.0.0.1, and says that name here. */
const isOwnName = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/.test(host);

/**
 * Answers `GET /metrics` at a loopback address with `text()`. An address that cannot be had is logged, and tried again: the link
 * matters more. What it returns ends it.
 */
export function serveMetrics(options: {
  listen: Listen;
  text: () => string;
  log: (level: 'info' | 'error', message: string) => void;
  retryAfter?: number;
}): { readonly close: () => Promise<void> } {
  const { listen, text, log, retryAfter = retry } = options;
  const { host, port } = listen;

  function answer({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, body: string): void => {
      response.writeHead(status, {
        'content-type': status === 200 ? metricsType : 'text/plain; charset=utf-8',
      });
      response.end(body);
    };
    if (!isOwnName(headers.host)) say(403, 'ask by a loopback address\n');
    else if (url !== '/metrics') say(404, 'there is only /metrics\n');
    else if (method !== 'GET') say(405, 'ask with GET\n');
    else say(200, text());
  }

  const server = createServer(
    {
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 1000,
      connectionsCheckingInterval: 1000,
    },
    answer,
  );
  server.maxConnections = 16;
  let timer: NodeJS.Timeout | undefined;
  let why = '';
  const open = (): void => {
    server.listen({ host, port });
  };
  server.on('listening', () => {
    why = '';
    log(
      'info',
      `metrics.listen: metrics are told at http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`,
    );
  });
  server.on('error', (error) => {
    const said = messageOf(error);
    if (said !== why) log('error', `metrics.listen: ${host}, port ${port}, cannot be had: ${said}`);
    why = said;
    timer = setTimeout(open, retryAfter);
  });
  open();
  return {
    close: () =>
      new Promise((resolve) => {
        clearTimeout(timer);
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
