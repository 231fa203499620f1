import { request } from 'node:http';
import * as z from 'zod';
import { unfitSocketPath } from '../daemon/lib/socket-path.js';
import { messageOf } from '../daemon/lib/text.js';

const versionSchema = z.looseObject({ version: z.string(), pid: z.int() });

/** As much of the daemon's status as an installation has to know. */
const statusSchema = versionSchema.extend({ phase: z.string() });

export type Answer = z.infer<typeof statusSchema>;

const leaveSchema = z.looseObject({
  /** Whether hyperkit is restored. */
  done: z.boolean(),
  problems: z.array(z.string()),
});

export type Leave = z.infer<typeof leaveSchema>;

const limit = 1_048_576;

/** One request to the daemon; its JSON. Rejects when nobody answers within `timeout` ms or the answer is no 200. */
function ask(socketPath: string, method: string, path: string, timeout: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const unfit = unfitSocketPath(socketPath);
    if (unfit !== null) throw new Error(unfit);
    // A connection of its own for each, for one that is kept may lead to a daemon that has ended.
    const options = { socketPath, method, path, agent: false, signal: AbortSignal.timeout(timeout) };
    const call = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > limit) response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200) {
          reject(new Error(`the daemon answered ${String(response.statusCode)}: ${body.slice(0, 300)}`));
          return;
        }
        try {
          resolve(JSON.parse(body));
        } catch (error) {
          reject(new Error('the daemon’s answer is no JSON', { cause: error }));
        }
      });
    });
    call.on('error', reject);
    call.end();
  });
}

/** What a daemon says that has just started and has not looked around yet; rejects when none answers within 5 s. */
export async function askVersion(socket: string): Promise<z.infer<typeof versionSchema>> {
  return versionSchema.parse(await ask(socket, 'GET', '/v1/version', 5000));
}

/**
 * Who runs, and its phase where it tells that: what it sees on this Mac, and how it words that, is no reason to take a
 * version for one that does not run. Rejects when none answers within 5 s.
 */
export async function askStatus(socket: string): Promise<Answer> {
  const running = await askVersion(socket);
  const status = await ask(socket, 'GET', '/v1/status', 5000).catch(() => null);
  return { ...running, phase: statusSchema.safeParse(status).data?.phase ?? 'starting' };
}

/** Has the daemon undo everything it did to Docker and to the Mac. Takes as long as a VM needs to answer. */
export async function askToLeave(socket: string): Promise<Leave> {
  return leaveSchema.parse(await ask(socket, 'POST', '/v1/leave', 120_000));
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
