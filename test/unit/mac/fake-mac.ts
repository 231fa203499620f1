/**
 * A Mac's network in memory: the lab's model of XNU behind the three commands that change and show it. What they print
 * is written here, and none of the lab's facades is asked: the parsers are held against it.
 */
import type { CommandResult, Run } from '../../../daemon/lib/command.js';
import {
  addRow,
  deleteRow,
  dotted,
  interfaceNamed,
  KernelError,
  mask,
  number,
  removeAddress,
  removeInterface,
  type Row,
  setAddress,
  setUp,
  type Table,
} from '../../lab/mac/xnu/table.js';

export interface FakeMac {
  readonly table: Table;
  /** Called before each command that changes something: what others do meanwhile. */
  meanwhile: () => void;
  readonly run: Run;
}

/** A row as netstat shows it, but for its destination, which has its whole address here. */
interface Shown {
  readonly destination: string;
  readonly gateway: string;
  readonly interface: string;
  readonly flags: string;
}

const prefixOf = (text: string): { base: number; prefix: number } => {
  const [address = '', length] = text.split('/');
  return { base: number(address), prefix: Number(length) };
};

/** The kernel's row that is shown so. */
export const row = ({ destination, gateway, interface: name, flags }: Shown): Row => ({
  ...prefixOf(destination),
  gateway,
  interface: name,
  isStatic: flags.includes('S'),
  isHost: flags.includes('H'),
  isScoped: flags.includes('I'),
});

const destinationOf = ({ base, prefix }: Row): string => `${dotted(base)}/${prefix}`;

function flagsOf({ gateway, isStatic, isHost, isScoped }: Row): string {
  const kind = gateway.startsWith('link#') ? (isHost ? 'H' : 'C') : isHost ? 'GH' : 'G';
  return `U${kind}${isStatic ? 'S' : ''}${kind === 'G' ? 'c' : ''}${isScoped === true ? 'I' : ''}`;
}

/** The table as it is shown. */
export const shown = ({ table }: FakeMac): Shown[] =>
  table.rows.map((each) => ({
    destination: destinationOf(each),
    gateway: each.gateway,
    interface: each.interface,
    flags: flagsOf(each),
  }));

/** A destination as `netstat -rn` prints it (netname() of netstat.tproj/route.c). */
export function short({ base, prefix, isHost }: Pick<Row, 'base' | 'prefix' | 'isHost'>): string {
  if (base === 0 && prefix === 0) return 'default';
  const octets = dotted(base).split('.');
  if (isHost) return octets.join('.');
  const first = Number(octets[0]);
  const least = first < 128 ? 1 : first < 192 ? 2 : 3;
  while (octets.length > least && octets.at(-1) === '0') octets.pop();
  return prefix === least * 8 ? octets.join('.') : `${octets.join('.')}/${prefix}`;
}

const strerror: Readonly<Record<string, string>> = {
  EEXIST: 'File exists',
  ESRCH: 'not in table',
  ENETUNREACH: 'Network is unreachable',
};

export function fakeMac(): FakeMac {
  const table: Table = {
    interfaces: [
      { name: 'en0', index: 6, kind: 'ethernet', mac: '', mtu: 1500, up: true, addresses: [], holder: null },
      {
        name: 'tap1',
        index: 14,
        kind: 'tap',
        mac: '6a:1:2:3:4:5',
        mtu: 1500,
        up: false,
        addresses: [],
        holder: 812,
      },
    ],
    rows: [
      row({ destination: '0.0.0.0/0', gateway: '192.168.44.1', interface: 'en0', flags: 'UGSc' }),
      row({ destination: '192.168.44.0/24', gateway: 'link#6', interface: 'en0', flags: 'UCS' }),
    ],
  };
  const mac: FakeMac = { table, meanwhile: () => undefined, run: (file, args) => run(file, args) };
  const end = (stdout = '', stderr = '', exitCode = 0): Promise<CommandResult> =>
    Promise.resolve({ stdout, stderr, exitCode });

  function ifconfig([name = '', ...words]: readonly string[]): Promise<CommandResult> {
    const isThere = (): boolean => table.interfaces.some((each) => each.name === name);
    if (!isThere()) return end('', `ifconfig: interface ${name} does not exist\n`, 1);
    const found = interfaceNamed(table, name);
    if (words.length === 0) {
      const flags = found.up
        ? '8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>'
        : '8842<BROADCAST,RUNNING,SIMPLEX,MULTICAST>';
      const inet = found.addresses.map(
        ({ address, prefix }) => `\tinet ${address} netmask 0x${mask(prefix).toString(16)} \n`,
      );
      return end(
        `${name}: flags=${flags} mtu ${found.mtu}\n\tether ${found.mac} \n${inet.join('')}\tmedia: autoselect\n\tstatus: active\n\topen (pid ${String(found.holder)})\n`,
      );
    }
    mac.meanwhile();
    if (!isThere()) return end('', `ifconfig: ${name}: no such interface\n`, 1);
    const [word = '', value = '', verb] = words;
    const setting = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(word);
    if (setting && value === 'up' && words.length === 2) {
      setUp(table, name, true);
      setAddress(table, name, { address: setting[1] ?? '', prefix: Number(setting[2]) }, false);
      return end();
    }
    if (word === 'up' && words.length === 1) {
      setUp(table, name, true);
      return end();
    }
    if (word === 'mtu' && /^\d+$/.test(value)) {
      found.mtu = Number(value);
      return end();
    }
    if (word === 'inet' && verb === 'delete') {
      if (!found.addresses.some(({ address }) => address === value))
        return end('', "ifconfig: ioctl (SIOCDIFADDR): Can't assign requested address\n", 1);
      removeAddress(table, name, value);
      return end();
    }
    return end('', `ifconfig: ${word}: bad value\n`, 1);
  }

  function route(args: readonly string[]): Promise<CommandResult> {
    const [dashN, verb = '', net, destination = '', gateway = ''] = args;
    if (dashN !== '-n' || net !== '-net' || args.length !== 5 || !/^(add|delete)$/.test(verb))
      return end('', `route: bad keyword: ${verb}\n`, 64);
    mac.meanwhile();
    const told = `${verb} net ${destination.split('/')[0] ?? ''}: gateway ${gateway}`;
    const { base, prefix } = prefixOf(destination);
    try {
      if (verb === 'add') addRow(table, base, prefix, gateway);
      else deleteRow(table, base, prefix);
      return end(`${told}\n`);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      const why = strerror[error.code] ?? error.code;
      return end(`${told}: ${why}\n`, `route: writing to routing socket: ${why}\n`, 0);
    }
  }

  function run(file: string, args: readonly string[]): Promise<CommandResult> {
    if (file === '/sbin/ifconfig') return ifconfig(args);
    if (file === '/sbin/route') return route(args);
    if (file === '/usr/sbin/netstat' && args.join(' ') === '-rn -f inet') {
      const lines = table.rows.map(
        (each) =>
          `${short(each).padEnd(18)} ${each.gateway.padEnd(18)} ${flagsOf(each).padEnd(10)} ${each.interface.padStart(10)}       \n`,
      );
      const header = 'Destination        Gateway            Flags           Netif Expire\n';
      return end(`Routing tables\n\nInternet:\n${header}${lines.join('')}`);
    }
    return end('', `${file}: not here`, 127);
  }

  return mac;
}

/** The VM ends, and the tap goes with who held it. */
export const endVm = ({ table }: FakeMac): void => {
  removeInterface(table, 'tap1');
};
