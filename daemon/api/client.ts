/** The one client of the control socket, for tuntapctl and the installation: what each makes of a reply is its own. */
import type { IncomingMessage } from 'node:http';
import { boundedBody } from '../lib/bounded-body.js';
import { request } from '../lib/http.js';
import { unfitSocketPath } from '../lib/socket-path.js';
import { type Action, actionTimeout } from './messages.js';

const readings = ['version', 'status', 'metrics'] as const;

type Reading = (typeof readings)[number];

/** What the daemon can be asked: to tell something, or to do something. */
export type Question = Reading | Action;

export interface Reply {
  /** The HTTP status. */
  readonly status: number;
  readonly text: string;
}

/** Why a socket with this path is not even dialled: see `unfitSocketPath`. */
export class UnfitSocketPath extends Error {}

/** Throws UnfitSocketPath. */
function mustFit(socketPath: string): void {
  const unfit = unfitSocketPath(socketPath);
  if (unfit !== null) throw new UnfitSocketPath(unfit);
}

const isRead = (question: Question): boolean => (readings as readonly Question[]).includes(question);

/** How long a question waits for its whole answer, in ms: an action for longer than the daemon takes to give it up. */
export const timeoutOf = (question: Question): number => (isRead(question) ? 5000 : actionTimeout + 10_000);

/**
 * Asks the daemon at `socketPath` once and returns what it says, `maxBytes` at the most. Rejects with UnfitSocketPath,
 * with `code: 'ABORT_ERR'` after `timeoutOf(question)`, with `the answer is too long`, or with the system's own error.
 */
export async function ask(socketPath: string, question: Question, maxBytes: number): Promise<Reply> {
  mustFit(socketPath);
  return new Promise((resolve, reject) => {
    const call = request({
      socketPath,
      method: isRead(question) ? 'GET' : 'POST',
      path: `/v1/${question}`,
      // A connection of its own for each, for one that is kept may lead to a daemon that has ended.
      agent: false,
      signal: AbortSignal.timeout(timeoutOf(question)),
    });
    call.on('error', reject);
    call.on('response', (response: IncomingMessage) => {
      boundedBody(response as AsyncIterable<Buffer>, maxBytes, 'the answer is too long').then((body) => {
        resolve({ status: response.statusCode ?? 0, text: body.toString() });
      }, reject);
    });
    call.end();
  });
}

/**
 * Calls back with each line that the daemon sends as its status changes, `maxBytes` a line at the most. Resolves when the
 * daemon ends it or `signal` aborts; rejects as `ask` does, without a time-out, and with what `onLine` throws.
 */
export async function watch(
  socketPath: string,
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
  onLine: (reply: Reply) => void,
): Promise<void> {
  mustFit(socketPath);
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      if (signal.aborted) resolve();
      else reject(error);
    };
    const call = request({ socketPath, path: '/v1/watch', agent: false, signal });
    call.on('error', fail);
    call.on('response', (response: IncomingMessage) => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        try {
          if (rest.length > maxBytes) throw new Error('the answer is too long');
          for (const text of lines) onLine({ status: response.statusCode ?? 0, text });
        } catch (error) {
          fail(error as Error);
          response.destroy();
        }
      });
      response.on('error', fail);
      response.on('end', resolve);
    });
    call.end();
  });
}
