/** The one client of the control socket, for tuntapctl and the installation: what each makes of a reply is its own. */
import { type IncomingMessage, request } from 'node:http';
import { boundedBody } from '../lib/bounded-body.js';
import { unfitSocketPath } from '../lib/socket-path.js';
import { type Action, actionTimeout } from './messages.js';

/** What the daemon can be asked: to tell something, or to do something. */
export type Question = 'version' | 'status' | Action;

export interface Reply {
  /** The HTTP status. */
  readonly status: number;
  readonly text: string;
}

/** Why a socket with this path is not even dialled: see `unfitSocketPath`. */
export class UnfitSocketPath extends Error {}

const isRead = (question: Question): boolean => question === 'version' || question === 'status';

/** How long a question waits for its whole answer, in ms: an action for longer than the daemon takes to give it up. */
export const timeoutOf = (question: Question): number => (isRead(question) ? 5000 : actionTimeout + 10_000);

/**
 * Asks the daemon at `socketPath` once and returns what it says, `maxBytes` at the most. Rejects with UnfitSocketPath,
 * with `code: 'ABORT_ERR'` after `timeoutOf(question)`, with `the answer is too long`, or with the system's own error.
 */
export async function ask(socketPath: string, question: Question, maxBytes: number): Promise<Reply> {
  const unfit = unfitSocketPath(socketPath);
  if (unfit !== null) throw new UnfitSocketPath(unfit);
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
