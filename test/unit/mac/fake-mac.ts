/** A Mac's network in memory, by XNU's rules, behind the three commands that change and show it. */
import type { CommandResult, Run } from '../../../daemon/lib/command.js';
import { contains, parseAddress, parsePrefix } from '../../../daemon/lib/prefix.js';

export interface Row {
  destination: string;
  gateway: string;
  interface: string;
  flags: string;
}

interface Interface {
  up: boolean;
  mtu: number;
  addresses: { address: string; prefix: number }[];
}

export interface FakeMac {
  readonly routes: Row[];
  readonly interfaces: Map<string, Interface>;
  /** Called before each command that changes something: what others do meanwhile. */
  meanwhile: () => void;
  readonly run: Run;
}

const maskText = (prefix: number): string =>
  `0x${(prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0).toString(16)}`;

/** netname() of netstat.tproj/route.c. */
function short({ destination, flags }: Row): string {
  if (destination === '0.0.0.0/0') return 'default';
  const [address = '', length = ''] = destination.split('/');
  if (flags.includes('H')) return address;
  const octets = address.split('.');
  const first = Number(octets[0]);
  const least = first < 128 ? 1 : first < 192 ? 2 : 3;
  while (octets.length > least && octets.at(-1) === '0') octets.pop();
  return Number(length) === least * 8 ? octets.join('.') : `${octets.join('.')}/${length}`;
}

export function fakeMac(): FakeMac {
  const routes: Row[] = [
    { destination: '0.0.0.0/0', gateway: '192.168.44.1', interface: 'en0', flags: 'UGScg' },
    { destination: '192.168.44.0/24', gateway: 'link#6', interface: 'en0', flags: 'UCS' },
  ];
  const interfaces = new Map<string, Interface>([['tap1', { up: false, mtu: 1500, addresses: [] }]]);
  const mac: FakeMac = {
    routes,
    interfaces,
    meanwhile: () => undefined,
    run: (file, args) => run(file, args),
  };
  const end = (stdout = '', stderr = '', exitCode = 0): Promise<CommandResult> =>
    Promise.resolve({ stdout, stderr, exitCode });

  const connected = (name: string, { address, prefix }: { address: string; prefix: number }): Row => ({
    destination: parsePrefix(`${address}/${prefix}`)?.text ?? '',
    gateway: 'link#14',
    interface: name,
    flags: 'UC',
  });

  const scrub = (name: string, address: { address: string; prefix: number }): void => {
    const { destination } = connected(name, address);
    const at = routes.findIndex((row) => row.destination === destination && row.interface === name);
    if (at >= 0) routes.splice(at, 1);
  };

  function ifconfig(args: readonly string[]): Promise<CommandResult> {
    const [name = '', ...words] = args;
    const found = interfaces.get(name);
    if (!found) return end('', `ifconfig: interface ${name} does not exist\n`, 1);
    if (words.length === 0) {
      const flags = found.up
        ? '8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>'
        : '8842<BROADCAST,RUNNING,SIMPLEX,MULTICAST>';
      const inet = found.addresses.map((own) => `\tinet ${own.address} netmask ${maskText(own.prefix)} \n`);
      return end(
        `${name}: flags=${flags} mtu ${found.mtu}\n\tether 6a:1:2:3:4:5 \n${inet.join('')}\tmedia: autoselect\n\tstatus: active\n\topen (pid 812)\n`,
      );
    }
    mac.meanwhile();
    if (!interfaces.has(name)) return end('', `ifconfig: ${name}: no such interface\n`, 1);
    const [word = '', value = '', verb] = words;
    const setting = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(word);
    if (setting && value === 'up' && words.length === 2) {
      const [old] = found.addresses.splice(0, 1);
      if (old) scrub(name, old);
      const added = { address: setting[1] ?? '', prefix: Number(setting[2]) };
      found.addresses.push(added);
      // rtinit: of a prefix that somebody has no second row is made.
      const row = connected(name, added);
      if (!routes.some(({ destination }) => destination === row.destination)) routes.push(row);
      found.up = true;
      return end();
    }
    if (word === 'up' && words.length === 1) {
      found.up = true;
      return end();
    }
    if (word === 'mtu' && /^\d+$/.test(value)) {
      found.mtu = Number(value);
      return end();
    }
    if (word === 'inet' && verb === 'delete') {
      const at = found.addresses.findIndex(({ address }) => address === value);
      const [gone] = at < 0 ? [] : found.addresses.splice(at, 1);
      if (!gone) return end('', "ifconfig: ioctl (SIOCDIFADDR): Can't assign requested address\n", 1);
      scrub(name, gone);
      return end();
    }
    return end('', `ifconfig: ${word}: bad value\n`, 1);
  }

  /** ifa_ifwithroute_common_locked: on-link, or else wherever the default route leads. */
  function interfaceTowards(gateway: string): string | undefined {
    const address = parseAddress(gateway);
    const onLink = routes.find((row) => {
      const net = parsePrefix(row.destination);
      return row.gateway.startsWith('link#') && net && address && contains(net, address);
    });
    return (onLink ?? routes.find(({ destination }) => destination === '0.0.0.0/0'))?.interface;
  }

  function route(args: readonly string[]): Promise<CommandResult> {
    const [dashN, verb = '', net, destination = '', gateway = ''] = args;
    if (dashN !== '-n' || net !== '-net' || args.length !== 5 || !/^(add|delete)$/.test(verb))
      return end('', `route: bad keyword: ${verb}\n`, 64);
    mac.meanwhile();
    const at = routes.findIndex((row) => row.destination === destination && !row.flags.includes('I'));
    const told = `${verb} net ${destination.split('/')[0] ?? ''}: gateway ${gateway}`;
    const refuse = (why: string): Promise<CommandResult> =>
      end(`${told}: ${why}\n`, `route: writing to routing socket: ${why}\n`, 0);
    if (verb === 'delete') {
      if (at < 0) return refuse('not in table');
      routes.splice(at, 1);
      return end(`${told}\n`);
    }
    if (at >= 0) return refuse('File exists');
    const towards = interfaceTowards(gateway);
    if (towards === undefined) return refuse('Network is unreachable');
    routes.push({ destination, gateway, interface: towards, flags: 'UGSc' });
    return end(`${told}\n`);
  }

  function run(file: string, args: readonly string[]): Promise<CommandResult> {
    if (file === '/sbin/ifconfig') return ifconfig(args);
    if (file === '/sbin/route') return route(args);
    if (file === '/usr/sbin/netstat' && args.join(' ') === '-rn -f inet') {
      const rows = routes.map(
        (row) =>
          `${short(row).padEnd(18)} ${row.gateway.padEnd(18)} ${row.flags.padEnd(10)} ${row.interface.padStart(10)}       \n`,
      );
      const header = 'Destination        Gateway            Flags           Netif Expire\n';
      return end(`Routing tables\n\nInternet:\n${header}${rows.join('')}`);
    }
    return end('', `${file}: not here`, 127);
  }

  return mac;
}
