import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../daemon/api/messages.js';
import { readLogs, tryAgain } from '../daemon/api/reasons/remedies.js';
import { commandLine } from '../daemon/lib/command.js';
import { portIn } from '../daemon/lib/resolver-text.js';
import { messageOf, plain } from '../daemon/lib/text.js';
import { type Answer, fail, pass, unclear } from './answer.js';
import type { Io } from './io.js';

const moreOfIt = 'tuntapctl doctor TT120';
const again = [tryAgain.command, readLogs.command];

interface Example {
  readonly zone: string;
  /** With its zone. */
  readonly host: string;
  readonly addresses: readonly string[];
}

/** One of the names that can be asked for; or what stands in the way of asking, as an answer. */
function exampleOf({ names, conditions }: Status): Example | Answer {
  const told = conditions.find(({ type }) => type === 'Names');
  if (told && told.status !== 'True') return unclear('names do not work now', moreOfIt);
  if (!names) return pass('there are to be no names');
  // They are asked for by IPv4.
  const first = names.names.find(({ addresses }) => addresses.some((address) => !address.includes(':')));
  if (!first) return pass('no container has a name now');
  return { zone: names.zone, host: `${first.name}.${names.zone}`, addresses: first.addresses };
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** Whether the server that macOS is sent to has, for one of the names, the addresses that the daemon tells. */
export async function namesAnswer({ layout, lookUp }: Io, status: Status): Promise<Answer> {
  const example = exampleOf(status);
  if (!('host' in example)) return example;
  const { zone, host, addresses } = example;
  const path = join(layout.resolvers, zone);
  const port = portIn(await readFile(path, 'utf8'));
  if (port === null) return unclear(`${path} is not tuntapd’s`, moreOfIt);
  const server = `127.0.0.1, port ${port},`;
  try {
    const found = await lookUp(host, port);
    return found.every((address) => addresses.includes(address))
      ? pass(`${host} is ${found.join(' ')}`)
      : fail(`${server} has ${found.join(' ')} for ${host}, which is ${addresses.join(' ')}`, ...again);
  } catch (error) {
    return fail(`${server} does not answer for ${host} (${codeOf(error)})`, ...again);
  }
}

/** Whether a program that asks macOS for one of the names gets the addresses that the daemon tells. */
export async function namesFound({ addressesOf }: Io, status: Status): Promise<Answer> {
  const example = exampleOf(status);
  if (!('host' in example)) return example;
  const { host, addresses } = example;
  const fixes = [
    'See what macOS asks whom: scutil --dns',
    'End VPNs, DNS profiles and DNS proxies one by one, and try again',
  ];
  try {
    const found = await addressesOf(host);
    if (found.every((address) => addresses.includes(address))) return pass(`${host} is ${found.join(' ')}`);
    const written = commandLine('grep', ['-in', host, '/etc/hosts']);
    return fail(
      `macOS says that ${host} is ${found.join(' ')}, and not ${addresses.join(' ')}`,
      `See whether /etc/hosts has it, which goes before all servers, and take that line out there: ${written}`,
      ...fixes,
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined)
      return unclear(`macOS cannot be asked for ${host}: ${plain(messageOf(error), 300)}`);
    return fail(`macOS does not find ${host} (${code}): somebody else is asked in tuntapd’s place`, ...fixes);
  }
}
