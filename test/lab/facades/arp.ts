/** /usr/sbin/arp, as far as it shows: `arp [-n] [-i interface] hostname`, `arp [-n] [-i interface] -a` (arp.tproj/arp.c). */
import { isIPv4 } from 'node:net';
import type { Neighbour } from '../mac/xnu/neighbours.js';
import type { Interface } from '../mac/xnu/table.js';
import { shortMac } from './lib/darwin.js';
import { type Caller, finish } from './lib/served.js';

const usage = `usage: arp [-n] [-i interface] hostname
       arp [-n] [-i interface] [-l] -a
       arp -d hostname [pub] [ifscope interface]
       arp -d [-i interface] -a
       arp -s hostname ether_addr [temp] [reject] [blackhole] [pub [only]] [ifscope interface]
       arp -S hostname ether_addr [temp] [reject] [blackhole] [pub [only]] [ifscope interface]
       arp -f filename
`;

const links = ['ethernet', 'tap', 'bridge'];

interface Entry extends Pick<Neighbour, 'address' | 'mac' | 'interface'> {
  readonly isOwn: boolean;
}

const format = (entry: Entry, kind: Interface['kind']): string =>
  `? (${entry.address}) at ${entry.mac === null ? '(incomplete)' : shortMac(entry.mac)} on ${entry.interface} ifscope` +
  `${entry.isOwn ? ' permanent' : ''} [${kind === 'bridge' ? 'bridge' : 'ethernet'}]\n`;

interface Words {
  readonly all: boolean;
  readonly name: string | null;
  readonly rest: readonly string[];
}

/** getopt(3) over "andflsSi:x", of which nothing that changes the table is there. */
function read(args: readonly string[]): Words {
  const words = [...args];
  let all = false;
  let name: string | null = null;
  while (words[0]?.startsWith('-') === true && words[0] !== '-') {
    const word = words.shift() ?? '';
    if (word === '--') break;
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      if (letter === 'a') all = true;
      else if (letter === 'i') {
        const value = word.slice(at + 1) || words.shift();
        if (value === undefined) finish(1, { err: `arp: option requires an argument -- i\n${usage}` });
        name = value;
        break;
      } else if ('dflsSx'.includes(letter)) finish(70, { err: `the lab's arp has no -${letter}\n` });
      else if (letter !== 'n') finish(1, { err: `arp: illegal option -- ${letter}\n${usage}` });
    }
  }
  return { all, name, rest: words };
}

export async function arp({ args, call }: Caller): Promise<never> {
  const { all, name, rest } = read(args);
  const interfaces = await call<Interface[]>('xnu.interfaces');
  if (name !== null && !interfaces.some((each) => each.name === name))
    finish(1, { err: `arp: interface ${name} does not exist\n` });
  if (rest.length !== (all ? 0 : 1)) finish(1, { err: usage });
  const [host = ''] = rest;
  if (!all && !isIPv4(host)) finish(1, { err: `arp: ${host}: Unknown host\n` });
  const own = interfaces.flatMap(({ name: on, mac, addresses }) =>
    addresses.map(({ address }): Entry => ({ address, mac, interface: on, isOwn: true })),
  );
  const others = (await call<Neighbour[]>('xnu.neighbours')).map((each) => ({ ...each, isOwn: false }));
  const lines = [...own, ...others].flatMap((entry) => {
    const kind = interfaces.find((each) => each.name === entry.interface)?.kind;
    const isAsked = (all || entry.address === host) && (name === null || entry.interface === name);
    return kind !== undefined && links.includes(kind) && isAsked ? [format(entry, kind)] : [];
  });
  if (!all && lines.length === 0)
    finish(1, { out: `${host} (${host}) -- no entry${name === null ? '' : ` on ${name}`}\n` });
  finish(0, { out: lines.join('') });
}
