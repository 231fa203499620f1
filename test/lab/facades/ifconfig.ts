/** /sbin/ifconfig: status of one or all interfaces, and the forms of ifconfig.c and af_inet.c that set addresses. */
import { MachineError } from '../mac/rpc.js';
import { dotted, type Interface, mask, number } from '../mac/xnu/table.js';
import type { IfconfigAction } from '../mac/xnu/xnu.js';
import type { Link6Told } from '../mac/xnu/xnu6.js';
import { type BridgeDetails, bridgeLines, bridgeStatus, optionsOf } from './lib/bridge.js';
import { inet6Lines, nd6Line, parseInet6 } from './lib/ifconfig6.js';
import { Failure } from './lib/failure.js';
import type { Caller, Outcome } from './lib/served.js';

const isAddress = (text: string): boolean =>
  /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every((octet) => Number(octet) < 256);

function flagsOf({ kind, up }: Interface): string {
  if (kind === 'loopback') return '8049<UP,LOOPBACK,RUNNING,MULTICAST>';
  if (kind === 'tap')
    return up ? '8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>' : '8842<BROADCAST,RUNNING,SIMPLEX,MULTICAST>';
  if (kind === 'bridge') return '8a63<UP,BROADCAST,SMART,RUNNING,ALLMULTI,SIMPLEX,MULTICAST>';
  if (kind === 'vmenet') return '8963<UP,BROADCAST,SMART,RUNNING,PROMISC,SIMPLEX,MULTICAST>';
  if (kind === 'tunnel') return '8051<UP,POINTOPOINT,RUNNING,MULTICAST>';
  return '8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST>';
}

/** `end`: up to macOS 12 a blank stands after the address of the hardware and after a line without broadcast. */
function format(
  each: Interface,
  end: '' | ' ',
  details: BridgeDetails | null,
  inet6: Link6Told | undefined,
): string {
  const lines = [`${each.name}: flags=${flagsOf(each)} mtu ${each.mtu}`, ...optionsOf(each)];
  if (each.mac !== '') lines.push(`\tether ${each.mac}${end}`);
  for (const { address, prefix, peer } of each.addresses) {
    const broadcast =
      each.kind === 'loopback' || peer !== undefined
        ? end
        : ` broadcast ${dotted((number(address) | ~mask(prefix)) >>> 0)}`;
    lines.push(
      `\tinet ${address}${peer === undefined ? '' : ` --> ${peer}`} netmask 0x${mask(prefix).toString(16)}${broadcast}`,
    );
  }
  if (inet6) lines.push(...inet6Lines(each, inet6));
  if (details) lines.push(...bridgeLines(details));
  if (inet6) lines.push(...nd6Line(inet6));
  if (details) lines.push(...bridgeStatus(details));
  if (each.kind === 'tap' || each.kind === 'ethernet' || each.kind === 'vmenet')
    lines.push('\tmedia: autoselect', '\tstatus: active');
  if (each.holder !== null) lines.push(`\topen (pid ${each.holder})`);
  return `${lines.join('\n')}\n`;
}

const prefixOfMask = (text: string): number | null => {
  const value = text.startsWith('0x') ? Number(text) : isAddress(text) ? number(text) : NaN;
  if (!Number.isInteger(value)) return null;
  const prefix = value === 0 ? 0 : 32 - Math.round(Math.log2(0x1_0000_0000 - value));
  return mask(prefix) === value ? prefix : null;
};

/** The kernel's guess for an address without a mask (in.c). */
const classOf = (address: string): number => {
  const first = Number.parseInt(address, 10);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
};

/** Words after the interface's name, left to right; the address is set last, as ifconfig does. */
function parse(words: readonly string[]): IfconfigAction[] {
  const actions: IfconfigAction[] = [];
  let address: string | null = null;
  let prefix: number | null = null;
  let how: 'set' | 'alias' | 'delete' = 'set';
  const rest = [...words];
  const argument = (name: string): string => {
    const value = rest.shift();
    if (value === undefined) throw new Failure(`'${name}' requires argument`);
    return value;
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === 'inet') continue;
    else if (word === 'up' || word === 'down') actions.push({ do: word });
    else if (word === 'mtu') actions.push({ do: 'mtu', mtu: Number.parseInt(argument('mtu'), 10) || 0 });
    else if (word === 'alias' || word === 'add') how = 'alias';
    else if (word === 'delete' || word === '-alias' || word === 'remove') how = 'delete';
    else if (word === 'netmask') {
      const text = argument('netmask');
      prefix = prefixOfMask(text);
      if (prefix === null) throw new Failure(`${text}: bad value`);
    } else if (address === null) {
      const [own = '', length] = word.split('/');
      if (!isAddress(own)) throw new Failure(`${word}: bad value`);
      if (length !== undefined) {
        if (!/^\d+$/.test(length) || Number(length) > 32) throw new Failure(`${word}: bad value`);
        prefix = Number(length);
      }
      address = own;
    } else throw new Failure(`${word}: bad value`);
  }
  if (how === 'delete') actions.push(address === null ? { do: 'delete' } : { do: 'delete', address });
  else if (address !== null) actions.push({ do: how, address, prefix: prefix ?? classOf(address) });
  return actions;
}

const said: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "ioctl (SIOCDIFADDR): Can't assign requested address",
  EINVAL: 'ioctl (set mtu): Invalid argument',
};

/** Flags and MTU are set while the words are read, the address is last: what comes first is refused first. */
function denied([first]: readonly IfconfigAction[]): Failure {
  switch (first?.do) {
    case 'up':
    case 'down':
      return new Failure(`${first.do}: permission denied`);
    case 'mtu':
      return new Failure('ioctl (set mtu): Operation not permitted');
    case 'dad':
      return new Failure('ioctl (SIOCSIFINFO_IN6): Operation not permitted');
    case 'set6':
      return new Failure(`ioctl (${first.alias ? 'SIOCAIFADDR' : 'SIOCDIFADDR'}): permission denied`);
    case 'set':
    case 'delete':
    case 'delete6':
      // Without `alias` the old address goes before the new one comes.
      return new Failure('ioctl (SIOCDIFADDR): permission denied');
    case 'alias':
    case undefined:
      return new Failure('ioctl (SIOCAIFADDR): permission denied');
  }
}

async function main({ args, uid, call }: Caller): Promise<Outcome> {
  const [name, ...words] = args;
  const interfaces = await call<Interface[]>('xnu.interfaces');
  const inet6 = await call<Link6Told[]>('xnu.inet6.links');
  const { macos } = await call<{ macos: string }>('mac.about');
  const end = Number.parseInt(macos, 10) <= 12 ? ' ' : '';
  const show = async (each: Interface): Promise<string> =>
    format(
      each,
      end,
      each.kind === 'bridge' ? await call<BridgeDetails>('vmnet.bridge', each) : null,
      // What every Mac has there tells nobody anything, and is left out.
      inet6.find((link) => link.name === each.name && each.kind !== 'loopback'),
    );
  if (name === '-l') {
    return { status: 0, out: `${interfaces.map((each) => each.name).join(' ')}\n` };
  }
  if (name === undefined || name === '-a') {
    return { status: 0, out: (await Promise.all(interfaces.map(show))).join('') };
  }
  if (name.startsWith('-')) {
    return {
      status: 1,
      err: `ifconfig: illegal option -- ${name.charAt(1)}\nusage: ifconfig interface address_family [address [dest_address]] [parameters]\n`,
    };
  }
  const each = interfaces.find((found) => found.name === name);
  if (!each) throw new Failure(`interface ${name} does not exist`);
  if (words.length === 0) {
    return { status: 0, out: await show(each) };
  }
  const [family, ...more] = words;
  const names = interfaces.map((found) => found.name);
  const actions = family === 'inet6' ? parseInet6(more, each, names) : parse(words);
  if (uid !== 0) throw denied(actions);
  await call('xnu.ifconfig', { name, actions });
  return { status: 0 };
}

export async function ifconfig(caller: Caller): Promise<Outcome> {
  try {
    return await main(caller);
  } catch (error) {
    const code = error instanceof MachineError ? error.code : null;
    const [name = '', family] = caller.args;
    const text =
      code === null
        ? (error as Error).message
        : code === 'EINVAL' && family === 'inet6'
          ? 'ioctl (SIOCAIFADDR): Invalid argument'
          : (said[code] ?? (code === 'ENXIO' ? `${name}: no such interface` : code));
    return { status: 1, err: `ifconfig: ${text}\n` };
  }
}
