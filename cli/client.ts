import { basename } from 'node:path';
import * as z from 'zod';
import { ask, type Question, type Reply, timeoutOf, UnfitSocketPath, watch } from '../daemon/api/client.js';
import {
  type Action,
  errorSchema,
  type Outcome,
  outcomeSchema,
  rootActions,
  type Status,
  statusSchema,
  type Version,
  versionSchema,
} from '../daemon/api/messages.js';
import { messageOf, plain } from '../daemon/lib/text.js';
import { CliError, exit } from './exit.js';

const maxBytes = 4_194_304;
const firstLook = 10_000;

const notRunning =
  'tuntapd is not running: sudo launchctl kickstart -k system/io.github.tuntapd, or see tuntapctl doctor';

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? '';

/** What `AbortSignal.timeout` makes of a request. */
const tooLate = 'ABORT_ERR';

/** Whether the daemon is there and does not answer at all. */
const isSilent = ({ cause }: CliError): boolean => codeOf(cause) === tooLate;

const forbidden = ['EACCES', 'EPERM'];

/** Whether the daemon’s socket is closed to this account. */
export const isClosed = ({ cause }: CliError): boolean => forbidden.includes(codeOf(cause));

/** Whether anything answers at all, if only in words of another version. */
export const isAnswered = (error: CliError): boolean =>
  error.code !== exit.notRunning && !isSilent(error) && !isClosed(error);

const toCliError = (socketPath: string, error: unknown, timeout: number): CliError => {
  if (error instanceof UnfitSocketPath) return new CliError(error.message);
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return new CliError(notRunning, exit.notRunning);
    case 'EACCES':
    case 'EPERM':
      return new CliError(
        `tuntapd could not be asked: ${socketPath} is closed to this account. ` +
          (basename(socketPath) === 'tuntapd-root.sock'
            ? 'It is for root alone: sudo tuntapctl shim restore'
            : 'It is for root and for administrators of this Mac (group admin): run the same as one of them, or with sudo'),
        exit.failed,
        { cause: error },
      );
    case tooLate:
      return new CliError(`tuntapd gave no answer within ${timeout / 1000} s on ${socketPath}`, exit.failed, {
        cause: error,
      });
    default:
      return new CliError(`tuntapd did not answer on ${socketPath}: ${messageOf(error)}`);
  }
};

async function asked(socketPath: string, question: Question): Promise<Reply> {
  try {
    return await ask(socketPath, question, maxBytes);
  } catch (error) {
    throw toCliError(socketPath, error, timeoutOf(question));
  }
}

function understand<Schema extends z.ZodType>(schema: Schema, { status, text }: Reply): z.output<Schema> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new CliError(
      `tuntapd’s answer is not JSON: ${plain(text) || 'it is empty'} (see tuntapctl doctor TT008)`,
    );
  }
  const refusal = errorSchema.safeParse(body);
  if (refusal.success) {
    const { code, message } = refusal.data.error;
    const older =
      code === 'NotFound'
        ? 'this tuntapd cannot answer that, it may be older (tuntapctl doctor TT009): '
        : '';
    throw new CliError(`${older}${plain(message, 2000)}`);
  }
  const answer = schema.safeParse(body);
  if (status !== 200 || !answer.success)
    throw new CliError(
      'tuntapctl does not understand tuntapd’s answer: their versions differ (see tuntapctl doctor TT009)',
    );
  return answer.data;
}

/** Who is running. Throws CliError (3 when nobody is). */
export const askVersion = async (socketPath: string): Promise<Version> =>
  understand(versionSchema, await asked(socketPath, 'version'));

/** What the daemon counts, in Prometheus’ text format. Throws CliError. */
export async function askMetrics(socketPath: string): Promise<string> {
  const reply = await asked(socketPath, 'metrics');
  return reply.status === 200 ? reply.text : understand(z.never(), reply);
}

/** How things are; waits for the first look of a daemon that has just started. Throws CliError. */
export async function askStatus(socketPath: string): Promise<Status> {
  for (const end = performance.now() + firstLook; ;) {
    const reply = await asked(socketPath, 'status');
    if (reply.status !== 503 || performance.now() > end) return understand(statusSchema, reply);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/**
 * Calls back with each status as it changes, the present one first; resolves when the daemon ends, or `signal` aborts.
 * Throws CliError.
 */
export async function watchStatus(
  socketPath: string,
  onStatus: (status: Status) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    await watch(socketPath, { maxBytes, signal }, (reply) => {
      onStatus(understand(statusSchema, reply));
    });
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw toCliError(socketPath, error, firstLook);
  }
}

/** Has the daemon do something, over the socket that is for it. Throws CliError. */
export const askFor = async (
  { socket, rootSocket }: { socket: string; rootSocket: string },
  action: Action,
): Promise<Outcome> =>
  understand(outcomeSchema, await asked(rootActions.includes(action) ? rootSocket : socket, action));
