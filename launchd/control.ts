/** The daemon as an installation asks it: one of another version counts as running, whatever its status looks like. */
import * as z from 'zod';
import { ask, type Question } from '../daemon/api/client.js';
import { type Outcome, outcomeSchema, type Version, versionSchema } from '../daemon/api/messages.js';
import { messageOf } from '../daemon/lib/text.js';

/** As much of the daemon's status as an installation has to know. */
const statusSchema = z.object({ phase: z.string() });

export type Answer = Version & z.infer<typeof statusSchema>;

const maxBytes = 1_048_576;

/** The JSON that the daemon answers with. Rejects when nobody answers in time or the answer is no 200. */
async function answerTo(socketPath: string, question: Question): Promise<unknown> {
  const { status, text } = await ask(socketPath, question, maxBytes);
  if (status !== 200) throw new Error(`the daemon answered ${status}: ${text.slice(0, 300)}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error('the daemon’s answer is not JSON', { cause: error });
  }
}

/** What a daemon says that has just started and has not looked around yet; rejects when none answers within 5 s. */
export async function askVersion(socket: string): Promise<Version> {
  return versionSchema.parse(await answerTo(socket, 'version'));
}

/**
 * Who runs, and its phase where it tells that: what it sees on this Mac, and how it words that, is no reason to take a
 * version for one that does not run. Rejects when none answers within 5 s.
 */
export async function askStatus(socket: string): Promise<Answer> {
  const running = await askVersion(socket);
  const status = await answerTo(socket, 'status').catch(() => null);
  return { ...running, phase: statusSchema.safeParse(status).data?.phase ?? 'starting' };
}

/** Has the daemon undo everything it did to Docker and to the Mac. Takes as long as a VM needs to answer. */
export async function askToLeave(socket: string): Promise<Outcome> {
  return outcomeSchema.parse(await answerTo(socket, 'leave'));
}

/** The first answer to `question` within `timeout` ms, or the last reason why there was none. */
export async function untilAnswers<T extends object>(
  question: () => Promise<T>,
  timeout: number,
  pause: (milliseconds: number) => Promise<void>,
): Promise<{ readonly answer: T } | { readonly answer: null; readonly why: string }> {
  const end = performance.now() + timeout;
  for (;;) {
    try {
      return { answer: await question() };
    } catch (error) {
      if (performance.now() >= end) return { answer: null, why: messageOf(error) };
    }
    await pause(200);
  }
}
