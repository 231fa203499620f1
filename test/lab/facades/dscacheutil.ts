/**
 * `dscacheutil -q host -a name NAME` (DSTools): the addresses that programs get for a name, those of IPv6 in a block of
 * their own before those of IPv4; of a name that is not found nothing at all. `-flushcache` has done nothing for names
 * since 10.7, so nobody needs it here.
 */
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { responderSocket } from '../mac/dns/responder-socket.js';
import { type Caller, finish } from './lib/served.js';

const usage = `Usage: dscacheutil -h
       dscacheutil -q category [-a key value]
       dscacheutil -cachedump [-buckets] [-entries [category]]
       dscacheutil -configuration
       dscacheutil -flushcache
       dscacheutil -statistics
`;

/** /etc/hosts goes before DNS. */
const inHosts = (name: string): readonly string[] =>
  readFileSync('/etc/hosts', 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .flatMap(([address = '', ...names]) => (names.includes(name) ? [address] : []));

async function askResponder(name: string): Promise<readonly string[]> {
  const socket = createConnection(responderSocket);
  socket.write(`0 ${name}\n`);
  return (await text(socket)).split('\n').filter((line) => line !== '');
}

export async function dscacheutil({ args }: Caller): Promise<never> {
  const [query, category, option, key, name = '', ...more] = args;
  if (
    query !== '-q' ||
    category !== 'host' ||
    option !== '-a' ||
    key !== 'name' ||
    name === '' ||
    more.length > 0
  )
    finish(64, { err: usage });
  const own = inHosts(name);
  const addresses = own.length > 0 ? own : await askResponder(name);
  const blocks = [
    ['ipv6_address', addresses.filter((address) => address.includes(':'))],
    ['ip_address', addresses.filter((address) => !address.includes(':'))],
  ] as const;
  finish(0, {
    out: blocks
      .filter(([, list]) => list.length > 0)
      .map(([word, list]) => `name: ${name}\n${list.map((address) => `${word}: ${address}\n`).join('')}\n`)
      .join(''),
  });
}
