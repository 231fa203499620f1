import { readFile } from 'node:fs/promises';
import { parseAddress, type Prefix } from '../lib/prefix.js';
import { run, type Run } from '../lib/command.js';
import { type Route, type Seen, seen, unknown } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';

/** The addresses that this pattern finds, each once; those with a zone are in no network of Docker's. */
const serversIn = (text: string, pattern: RegExp): readonly Prefix[] => [
  ...new Map(
    [...text.matchAll(pattern)]
      .map(([, server = '']) => parseAddress(server))
      .filter((server) => server !== null)
      .map((server) => [server.text, server]),
  ).values(),
];

/** Whether it is what `scutil --dns` prints (configd, scutil.tproj/dns.c). */
export const isDnsConfiguration = (text: string): boolean =>
  /^(?:DNS configuration|No DNS configuration available)/m.test(text);

/**
 * The servers of `scutil --dns`, each once: those of every resolver, also of scoped ones and of single domains
 * (configd, scutil.tproj/dns.c: `  nameserver[0] : 10.64.3.20`). Null for what is no such text.
 */
export function parseResolvers(text: string): readonly Prefix[] | null {
  if (!isDnsConfiguration(text)) return null;
  return serversIn(text, /^\s*nameserver\[\d+\] : (\S+)\s*$/gm);
}

/** The servers of a resolv.conf (resolver.5), each once. */
const parseResolvConf = (text: string): readonly Prefix[] => serversIn(text, /^nameserver\s+(\S+)/gm);

/** What configd mirrors of the main resolver for programs that cannot ask it; without any resolver it has no such file. */
const mirror = '/etc/resolv.conf';

async function readMirror(path: string, instead: string): Promise<Seen<readonly Prefix[]>> {
  try {
    return seen(parseResolvConf(await readFile(path, 'utf8')));
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isAbsent ? seen([]) : unknown(`${instead}; ${messageOf(error)}`);
  }
}

async function ask(command: Run, path: string): Promise<Seen<readonly Prefix[]>> {
  try {
    const { stdout, stderr } = await command('/usr/sbin/scutil', ['--dns']);
    const servers = parseResolvers(stdout);
    return servers
      ? seen(servers)
      : await readMirror(path, `scutil --dns: ${plain(stderr || stdout) || 'no answer'}`);
  } catch (error) {
    // The mirror has none of a VPN's own domains: a configd that hangs for a while is waited for instead.
    return unknown(messageOf(error));
  }
}

/** How long an answer is believed while the routes stay as they are, in ms. */
const validity = 30_000;

/**
 * Observes the Mac's DNS resolvers. They change when networks do, so they are asked for again when the rows that
 * others entered in the routing table have changed, and otherwise only twice a minute. When scutil has no such answer,
 * those of `resolvConf` count.
 */
export function createResolverObserver(
  command: Run = run,
  now: () => number = () => performance.now(),
  resolvConf = mirror,
): (table: Seen<readonly Route[]>, ourGateway: string) => Promise<Seen<readonly Prefix[]>> {
  let last: { of: string; at: number; answer: Seen<readonly Prefix[]> } | null = null;
  return async (table, ourGateway) => {
    const of = table.known
      ? table.value
          .filter(({ gateway, flags }) => gateway !== ourGateway && !flags.includes('W'))
          .map((row) => `${row.destination.text} ${row.gateway} ${row.interface}`)
          .join('\n')
      : '';
    if (last?.answer.known === true && last.of === of && now() - last.at < validity) return last.answer;
    const answer = await ask(command, resolvConf);
    last = { of, at: now(), answer };
    return answer;
  };
}
