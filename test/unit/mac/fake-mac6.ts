/**
 * A Mac's IPv6 in memory, behind the three commands that change and show it, by the rules of network_cmds and XNU that
 * differ from IPv4's: nothing is removed unless it is named, a gateway that is not on-link lands on the default route's
 * interface, `delete` asks for no gateway, and whatever the kernel refuses ends with 0.
 */
import type { CommandResult, Run } from '../../../daemon/lib/command.js';
import { addressText, contains, isHost, parseAddress, parsePrefix } from '../../../daemon/lib/prefix.js';

interface Row {
  readonly prefix: string;
  readonly gateway: string;
  readonly interface: string;
  readonly flags: string;
}

export interface FakeMac6 {
  addresses: { readonly address: string; readonly prefix: number; readonly flags: string }[];
  rows: Row[];
  /** Whether the tap is there at all. */
  isThere: boolean;
  up: boolean;
  /** Called before each command that changes something: what others do meanwhile. */
  meanwhile: () => void;
  readonly run: Run;
}

const end = (stdout = '', stderr = '', exitCode = 0): Promise<CommandResult> =>
  Promise.resolve({ stdout, stderr, exitCode });

const canonical = (text: string): string => parsePrefix(text)?.text ?? '';

export function fakeMac6(): FakeMac6 {
  const mac: FakeMac6 = {
    addresses: [],
    rows: [
      { prefix: '::/0', gateway: 'fe80::1%en0', interface: 'en0', flags: 'UGc' },
      { prefix: '::/0', gateway: 'fe80::%utun0', interface: 'utun0', flags: 'UGcI' },
    ],
    isThere: true,
    up: true,
    meanwhile: () => undefined,
    run: (file, args) => run(file, args),
  };
  const isSame =
    (prefix: string) =>
    (row: Row): boolean =>
      row.prefix === prefix && !row.flags.includes('I');

  /** ifa_ifwithroute */
  function bind(gateway: string): string | null {
    const target = parseAddress(gateway);
    const covers = ({ prefix, flags }: Row): boolean => {
      const range = parsePrefix(prefix);
      return !flags.includes('I') && range !== null && target !== null && contains(range, target);
    };
    const [row] = mac.rows.filter(covers).toSorted((a, b) => b.prefix.length - a.prefix.length);
    return row?.interface ?? null;
  }

  function ifconfig([name = '', ...words]: readonly string[]): Promise<CommandResult> {
    if (name !== 'tap1' || !mac.isThere) return end('', `ifconfig: interface ${name} does not exist\n`, 1);
    if (words.length === 0) {
      const inet6 = mac.addresses.map(
        ({ address, prefix, flags }) => `\tinet6 ${address} prefixlen ${prefix} ${flags}\n`,
      );
      return end(
        `tap1: flags=8843<${mac.up ? 'UP,' : ''}BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\tether 6a:1:2:3:4:5 \n` +
          `\tinet 10.0.75.1 netmask 0xfffffffc broadcast 10.0.75.3\n` +
          `\tinet6 fe80::6801:2ff:fe03:405%tap1 prefixlen 64 scopeid 0x14 \n${inet6.join('')}` +
          `\tnd6 options=201<PERFORMNUD,DAD>\n\tmedia: autoselect\n\tstatus: active\n\topen (pid 812)\n`,
      );
    }
    mac.meanwhile();
    const [family, address = '', verb = '', length = ''] = words;
    const own = parseAddress(address);
    if (family !== 'inet6' || !own) return end('', `ifconfig: ${address || String(family)}: bad value\n`, 1);
    const text = addressText(own);
    if (verb === 'delete' && words.length === 3) {
      if (!mac.addresses.some((each) => each.address === text))
        return end('', "ifconfig: ioctl (SIOCDIFADDR): Can't assign requested address\n", 1);
      mac.addresses = mac.addresses.filter((each) => each.address !== text);
      return end();
    }
    if (verb !== 'prefixlen' || !/^\d+$/.test(length) || words.length !== 4)
      return end('', `ifconfig: ${verb}: bad value\n`, 1);
    const before = mac.addresses.find((each) => each.address === text);
    const flags = mac.up ? 'tentative ' : '';
    // The length of an address that is there stays as it was.
    mac.addresses = [
      ...mac.addresses.filter((each) => each !== before),
      { address: text, prefix: before?.prefix ?? Number(length), flags },
    ];
    const prefix = canonical(`${text}/${length}`);
    if (!mac.rows.some(isSame(prefix)))
      mac.rows.push({ prefix, gateway: 'link#20', interface: 'tap1', flags: 'UC' });
    return end();
  }

  function route(words: readonly string[]): Promise<CommandResult> {
    const [dashN, verb = '', family, prefix = '', gateway = ''] = words;
    if (dashN !== '-n' || family !== '-inet6' || words.length !== 5 || !prefix.includes('/'))
      return end('', `route: bad address: ${prefix}\n`, 68);
    mac.meanwhile();
    const said = `${verb} net ${prefix}: gateway ${gateway}`;
    const refuse = (why: string) => end(`${said}: ${why}\n`, `route: writing to routing socket: ${why}\n`, 0);
    const target = canonical(prefix);
    if (verb === 'delete') {
      if (!mac.rows.some(isSame(target))) return refuse('not in table');
      mac.rows = mac.rows.filter((row) => !isSame(target)(row));
      return end(`${said}\n`);
    }
    if (mac.rows.some(isSame(target))) return refuse('File exists');
    const name = bind(gateway);
    if (name === null) return refuse('Network is unreachable');
    const flags = target.endsWith('/128') ? 'UGHS' : 'UGSc';
    mac.rows.push({ prefix: target, gateway, interface: name, flags });
    return end(`${said}\n`);
  }

  /** As netstat prints a destination: hosts without a length, everything else as it is. */
  function shown(text: string): string {
    const prefix = parsePrefix(text);
    if (!prefix || text === '::/0') return 'default';
    return isHost(prefix) ? addressText(prefix) : text;
  }

  function run(file: string, args: readonly string[]): Promise<CommandResult> {
    if (file === '/sbin/ifconfig') return ifconfig(args);
    if (file === '/sbin/route') return route(args);
    if (file !== '/usr/sbin/netstat' || args.join(' ') !== '-rn -f inet6')
      return end('', `${file} ${args.join(' ')}: not here`, 127);
    const lines = mac.rows.map(
      (row) =>
        `${shown(row.prefix).padEnd(39)} ${row.gateway.padEnd(39)} ${row.flags.padEnd(19)} ${row.interface.padStart(10)}       \n`,
    );
    return end(
      `Routing tables\n\nInternet6:\nDestination                             Gateway                                 Flags               Netif Expire\n${lines.join('')}`,
    );
  }
  return mac;
}
