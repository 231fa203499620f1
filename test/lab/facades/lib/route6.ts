/** route's -inet6: add, delete, change and get, as route.c has them. */
import { MachineError } from '../../mac/rpc.js';
import { isLinkLocal, number6, text6, within6 } from '../../mac/xnu/inet6.js';
import type { Interface } from '../../mac/xnu/table.js';
import {
  destination6,
  type Destination6,
  gateway6,
  maskText6,
  type Row6,
  type Way6,
} from '../../mac/xnu/table6.js';
import { Exit, refused, usage } from './route.js';
import type { Caller, Outcome } from './served.js';

interface Words {
  readonly net: boolean;
  readonly host: boolean;
  readonly byInterface: boolean;
  readonly prefix: number | null;
  readonly refuses: 'R' | 'B' | null;
  readonly positionals: readonly string[];
}

const lengthOf = (text: string): number => {
  if (!/^\d+$/.test(text) || Number(text) > 128) throw new Exit(1, `${text}: bad value`);
  return Number(text);
};

function read(args: readonly string[]): Words {
  const rest = [...args];
  let [net, host, byInterface] = [false, false, false];
  let prefix: number | null = null;
  let refuses: 'R' | 'B' | null = null;
  const positionals: string[] = [];
  const argument = (): string => {
    const value = rest.shift();
    if (value === undefined) throw new Exit(64, usage);
    return value;
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!word.startsWith('-')) positionals.push(word);
    else if (word === '-net') net = true;
    else if (word === '-host') host = true;
    else if (word === '-interface' || word === '-iface') byInterface = true;
    else if (word === '-prefixlen') prefix = lengthOf(argument());
    else if (word === '-reject') refuses = 'R';
    else if (word === '-blackhole') refuses = 'B';
    else if (word === '-gateway' || word === '-dst') positionals.push(argument());
    else if (word !== '-inet6' && word !== '-static')
      throw new Exit(64, `route: bad keyword: ${word.slice(1)}\n${usage}`);
  }
  return { net, host, byInterface, prefix, refuses, positionals };
}

const unknown = (text: string): Exit => new Exit(1, `${text}: nodename nor servname provided, or not known`);

interface Target extends Destination6 {
  readonly zone?: string;
}

function address(text: string, names: readonly string[]): { value: string; zone?: string } {
  const [literal = '', zone] = text.split('%');
  const value = number6(literal);
  if (value === null || (zone !== undefined && !names.includes(zone))) throw unknown(text);
  return { value: text6(value), ...(zone === undefined ? {} : { zone }) };
}

/** inet6_makenetandmask: what route takes for the length where none was said. */
function guessed(value: string, net: boolean): number {
  if (value === '::' || net) return 0;
  const isSubnetPrefix = within6(value, '2000::', 3) && ((number6(value) ?? 0n) & ((1n << 64n) - 1n)) === 0n;
  return isSubnetPrefix ? 64 : 128;
}

function destination({ net, host, prefix, positionals }: Words, names: readonly string[]): Target {
  const [text] = positionals;
  if (text === undefined) throw new Exit(64, usage);
  if (text === 'default') return { base: '::', prefix: 0, isHost: false };
  const [literal = '', length] = text.split(/\/(?=[^/]*$)/);
  const { value, zone } = address(literal, names);
  const said = length === undefined ? prefix : lengthOf(length);
  const whole = host ? 128 : (said ?? guessed(value, net));
  const to = { base: value, prefix: whole, isHost: whole === 128 && prefix === null && !net };
  return { ...to, ...(zone === undefined ? {} : { zone }) };
}

function wayOf({ byInterface, refuses, positionals }: Words, names: readonly string[]): Way6 {
  const [, gateway] = positionals;
  if (gateway === undefined) return {};
  const how = refuses === null ? {} : { refuses };
  if (byInterface) {
    if (!names.includes(gateway)) throw unknown(gateway);
    return { interface: gateway, ...how };
  }
  const { value, zone } = address(gateway, names);
  return { gateway: value, ...(zone === undefined || !isLinkLocal(value) ? {} : { zone }), ...how };
}

const namesOf = async ({ call }: Caller): Promise<string[]> =>
  (await call<Interface[]>('xnu.interfaces')).map(({ name }) => name);

export async function alter6(
  verb: 'add' | 'delete' | 'change',
  caller: Caller,
  args: readonly string[],
): Promise<Outcome> {
  const names = await namesOf(caller);
  const words = read(args);
  const to = destination(words, names);
  const way = wayOf(words, names);
  const [text = '', gateway] = words.positionals;
  if (verb !== 'delete' && gateway === undefined) throw new Exit(64, usage);
  // Unlike IPv4's it is printed as it was given, with its length.
  const line = `${verb} ${to.isHost ? 'host' : 'net'} ${text}${gateway === undefined ? '' : `: gateway ${gateway}`}`;
  try {
    await caller.call(`xnu.inet6.${verb}`, { to, way });
    return { status: 0, out: `${line}\n` };
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    return refused(line, error.code);
  }
}

export async function get6(caller: Caller, args: readonly string[]): Promise<Outcome> {
  const to = destination(read(args), await namesOf(caller));
  let row: Row6;
  try {
    row = await caller.call<Row6>('xnu.inet6.get', { address: to.base, zone: to.zone });
  } catch {
    return { status: 0, err: 'route: writing to routing socket: not in table\n' };
  }
  const [shown = ''] = destination6(row).split('/');
  const flags = [
    ...['UP', row.flags.includes('G') ? 'GATEWAY' : '', row.flags.includes('H') ? 'HOST' : ''],
    ...[row.flags.includes('R') ? 'REJECT' : '', 'DONE', /[Cc]/.test(row.flags) ? 'CLONING' : ''],
    row.flags.includes('S') ? 'STATIC' : '',
  ].filter((flag) => flag !== '');
  const lines = [
    `   route to: ${to.base}`,
    `destination: ${row.prefix === 0 ? '::' : shown}`,
    ...(row.flags.includes('H')
      ? []
      : [`       mask: ${row.prefix === 0 ? 'default' : maskText6(row.prefix)}`]),
    ...(row.flags.includes('G') ? [`    gateway: ${gateway6(row)}`] : []),
    `  interface: ${row.interface}`,
    `      flags: <${flags.join(',')}>`,
    ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire',
    '       0         0         0         0         0         0      1500         0 ',
  ];
  return { status: 0, out: `${lines.join('\n')}\n` };
}
