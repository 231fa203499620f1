/** /sbin/route: add, delete, change, get, monitor as route.c has them. What the kernel refuses is printed, and exits 0. */
import { once } from 'node:events';
import { MachineError } from '../mac/rpc.js';
import { dotted, type Interface, mask, number, type Row } from '../mac/xnu/table.js';
import { type Network, readNetwork } from './lib/darwin.js';
import { Exit, refused, usage } from './lib/route.js';
import { alter6, get6 } from './lib/route6.js';
import type { Caller, Outcome } from './lib/served.js';

interface Words {
  readonly net: boolean;
  readonly host: boolean;
  readonly byInterface: boolean;
  /** What was said of the mask after the destination; before it, the destination's own guess overrides it (route.c). */
  readonly netmask: string | null;
  readonly positionals: readonly string[];
}

function read(args: readonly string[]): Words {
  const rest = [...args];
  let net = false;
  let host = false;
  let byInterface = false;
  let netmask: string | null = null;
  const positionals: string[] = [];
  const argument = (): string => {
    const value = rest.shift();
    if (value === undefined) throw new Exit(64, usage);
    return value;
  };
  const setMask = (text: string): void => {
    net = true;
    if (positionals.length > 0) netmask = text;
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!word.startsWith('-')) {
      positionals.push(word);
      continue;
    }
    switch (word) {
      case '-net':
        net = true;
        break;
      case '-host':
        host = true;
        break;
      case '-inet':
      case '-inet6': // too late for what was read before
      case '-static':
        break;
      case '-interface':
      case '-iface':
        byInterface = true;
        break;
      case '-netmask':
        setMask(argument());
        break;
      case '-prefixlen': {
        const length = argument();
        if (!/^\d+$/.test(length) || Number(length) > 32) throw new Exit(1, `${length}: bad value`);
        setMask(dotted(mask(Number(length))));
        break;
      }
      case '-gateway':
      case '-dst':
        positionals.push(argument());
        break;
      default:
        throw new Exit(64, `route: bad keyword: ${word.slice(1)}\n${usage}`);
    }
  }
  return { net, host, byInterface, netmask, positionals };
}

function destination({ net, host, netmask, positionals }: Words): Network {
  const [text] = positionals;
  if (text === undefined) throw new Exit(64, usage);
  const read = readNetwork(text, net && !host);
  if (!read) throw new Exit(68, `route: bad address: ${text}`);
  const third = netmask ?? positionals[2];
  if (third === undefined) return read;
  const value = number(third);
  const prefix = value === 0 ? 0 : 32 - Math.round(Math.log2(0x1_0000_0000 - value));
  if (mask(prefix) !== value) throw new Exit(68, `route: invalid mask: ${third}`);
  return {
    ...read,
    base: (read.whole & value) >>> 0,
    prefix,
    isHost: false,
  };
}

/** Each address is read in the family that was said before it. */
function isInet6(args: readonly string[]): boolean {
  const said = args.indexOf('-inet6');
  return said !== -1 && args.slice(0, said).every((word) => word.startsWith('-'));
}

async function alter(
  verb: 'add' | 'delete' | 'change',
  caller: Caller,
  args: readonly string[],
): Promise<Outcome> {
  const { uid, call } = caller;
  if (uid !== 0) throw new Exit(77, 'route: must be root to alter routing table');
  if (isInet6(args)) return alter6(verb, caller, args);
  const words = read(args);
  const to = destination(words);
  const gateway = words.positionals[1];
  if (verb !== 'delete' && gateway === undefined) throw new Exit(64, usage);
  if (gateway !== undefined && !words.byInterface && !/^(\d{1,3}\.){3}\d{1,3}$/.test(gateway))
    throw new Exit(68, `route: bad address: ${gateway}`);
  if (words.byInterface && gateway !== undefined) {
    const interfaces = await call<Interface[]>('xnu.interfaces');
    if (!interfaces.some(({ name }) => name === gateway))
      throw new Exit(68, `route: bad address: ${gateway}`);
  }
  const line = `${verb} ${to.isHost ? 'host' : 'net'} ${to.text}${gateway === undefined ? '' : `: gateway ${gateway}`}`;
  try {
    await call(`xnu.route.${verb}`, {
      base: to.base,
      prefix: to.prefix,
      host: to.isHost,
      ...(gateway === undefined ? {} : words.byInterface ? { interface: gateway } : { gateway }),
    });
    return { status: 0, out: `${line}\n` };
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    return refused(line, error.code);
  }
}

const isDotted = (gateway: string): boolean => /^\d+(\.\d+){3}$/.test(gateway);

async function get(caller: Caller, args: readonly string[]): Promise<Outcome> {
  if (isInet6(args)) return get6(caller, args);
  const { call } = caller;
  const to = destination(read(args));
  let row: Row;
  try {
    row = await call<Row>('xnu.route.get', { address: dotted(to.base) });
  } catch {
    return { status: 0, err: 'route: writing to routing socket: not in table\n' };
  }
  const lines = [
    `   route to: ${dotted(to.base)}`,
    `destination: ${row.base === 0 ? 'default' : dotted(row.base)}`,
    ...(row.isHost
      ? []
      : [`       mask: ${row.base === 0 && row.prefix === 0 ? 'default' : dotted(mask(row.prefix))}`]),
    ...(isDotted(row.gateway) ? [`    gateway: ${row.gateway}`] : []),
    `  interface: ${row.interface}`,
    `      flags: <UP,${isDotted(row.gateway) ? 'GATEWAY,' : ''}DONE,STATIC,PRCLONING>`,
    ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire',
    '       0         0         0         0         0         0      1500         0 ',
  ];
  return { status: 0, out: `${lines.join('\n')}\n` };
}

/** What ctime(3) makes of it, in UTC. */
const ctime = (date: Date): string => {
  const [, day = '', month = '', year = ''] = date
    .toUTCString()
    .split(' ')
    .map((word) => word.replace(',', ''));
  return `${date.toUTCString().slice(0, 3)} ${month} ${String(Number(day)).padStart(2)} ${date.toISOString().slice(11, 19)} ${year}`;
};

/**
 * Into a pipe stdout is buffered, and only what has addresses in it is flushed (pmsg_addrs): that an interface came or
 * went stays unsaid until the next route or address message.
 */
async function monitor({ call, print, gone }: Caller): Promise<Outcome> {
  let unsaid = '';
  await call('xnu.route.monitor', {}, (event) => {
    const text = String(event);
    unsaid += `\ngot message of size 132 on ${ctime(new Date())}\n${text}\n`;
    if (text.startsWith('RTM_IFINFO')) return;
    print(unsaid);
    unsaid = '';
  });
  await once(gone, 'abort');
  return { status: 0 };
}

function main(caller: Caller): Promise<Outcome> {
  const rest = [...caller.args];
  while (rest[0]?.startsWith('-') === true) {
    const option = rest.shift() ?? '';
    if (!/^-[dnqtv]+$/.test(option)) throw new Exit(64, usage);
  }
  const [verb, ...more] = rest;
  switch (verb) {
    case 'add':
    case 'delete':
    case 'change':
      return alter(verb, caller, more);
    case 'get':
      return get(caller, more);
    case 'monitor':
      return monitor(caller);
    case undefined:
      throw new Exit(64, usage);
    default:
      throw new Exit(64, `route: bad keyword: ${verb}\n${usage}`);
  }
}

export async function route(caller: Caller): Promise<Outcome> {
  try {
    return await main(caller);
  } catch (error) {
    return { status: error instanceof Exit ? error.status : 71, err: `${(error as Error).message}\n` };
  }
}
