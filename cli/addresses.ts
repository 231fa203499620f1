/** What programs of this Mac get for a name. */
import * as z from 'zod';
import { run } from '../daemon/lib/command.js';

/** Milliseconds: macOS may wait for whoever answers in tuntapd’s place for longer than anybody for doctor. */
const maxWait = 10_000;

const program = `require('node:dns').lookup(process.argv[1], { family: 4, all: true }, (error, found) =>
  process.stdout.write(JSON.stringify(error ? { code: error.code } : found.map(({ address }) => address))))`;

const answerSchema = z.union([z.array(z.string()), z.object({ code: z.string() })]);

const because = (code: string): Error => Object.assign(new Error(code), { code });

/**
 * The IPv4 addresses of a host by getaddrinfo. Nothing ends that but the end of its process, and no process ends before
 * it: so it has one of its own. Rejects with macOS's `code`, or words in its place; without one where macOS could not be
 * asked.
 */
export async function addressesOf(host: string, timeout = maxWait): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(timeout);
  const result = await run(process.execPath, ['-e', program, '--', host], {
    signal,
    timeout: timeout + 1000,
  }).catch((error: unknown) => {
    throw signal.aborted ? because(`no answer within ${timeout / 1000} s`) : error;
  });
  const answer = answerSchema.safeParse(JSON.parse(result.stdout || 'null'));
  if (!answer.success) throw new Error(`node ended with ${result.exitCode}`);
  if ('code' in answer.data) throw because(answer.data.code);
  return answer.data;
}
