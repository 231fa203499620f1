import type { TakenResolver } from '../core/names/observation.js';
import { type Seen, seen, unknown } from '../core/observation.js';
import { type Run, run } from '../lib/command.js';
import { messageOf, plain } from '../lib/text.js';
import { isDnsConfiguration } from './resolvers.js';

/** The resolvers of `scutil --dns` before the scoped ones, each as its lines (configd, dnsinfo_logging.h). */
const resolversIn = (text: string): readonly string[] =>
  (text.split(/^DNS configuration \(for scoped queries\)/m)[0] ?? '').split(/^resolver #\d+$/m).slice(1);

const valueIn = (block: string, key: string): string | undefined =>
  new RegExp(`^ +${key} *: (.*)$`, 'm').exec(block)?.[1]?.trim();

/**
 * What macOS made of a resolver file: that it asks 127.0.0.1 at this port for the zone, and whether without a network too.
 * Null where it does not; undefined for what is no such text.
 */
export function parseTaken(text: string, zone: string, port: number): TakenResolver | null | undefined {
  if (!isDnsConfiguration(text)) return undefined;
  const block = resolversIn(text).find(
    (each) =>
      valueIn(each, 'domain')?.toLowerCase() === zone &&
      valueIn(each, 'nameserver\\[0\\]') === '127.0.0.1' &&
      Number(valueIn(each, 'port')) === port,
  );
  if (block === undefined) return null;
  const flags = valueIn(block, 'flags') ?? '';
  return { isOffline: flags.includes('Request A records') && flags.includes('Request AAAA records') };
}

/** Asks macOS what it made of the file for this zone and port. */
export async function askTaken(
  zone: string,
  port: number,
  command: Run = run,
): Promise<Seen<TakenResolver | null>> {
  try {
    const { stdout, stderr } = await command('/usr/sbin/scutil', ['--dns']);
    const taken = parseTaken(stdout, zone, port);
    return taken === undefined
      ? unknown(`scutil --dns: ${plain(stderr || stdout) || 'no answer'}`)
      : seen(taken);
  } catch (error) {
    return unknown(messageOf(error));
  }
}
