/** /usr/sbin/netstat -rn -f inet or inet6, in the layout of the Mac's version (netstat.tproj/route.c). */
import type { Neighbour } from '../mac/xnu/neighbours.js';
import { type Interface, mask, number, type Row } from '../mac/xnu/table.js';
import type { Row6 } from '../mac/xnu/table6.js';
import { shortDestination, shortMac } from './lib/darwin.js';
import { formatTable6 } from './lib/netstat6.js';
import type { Caller, Outcome } from './lib/served.js';

function layout(macos: string): { width: number; old: boolean } {
  const [major = 0, minor = 0] = macos.split('.').map(Number);
  if (major === 10 && minor < 15) return { width: 7, old: true };
  return { width: major <= 11 ? 7 : major <= 13 ? 10 : 14, old: false };
}

/** Networks that are nobody's on the internet; the others bear a `g` from macOS 11 on. */
const own = ['10/8', '127/8', '169.254/16', '172.16/12', '192.168/16', '224/4'].map((text) => {
  const [base = '', prefix] = text.split('/');
  return { base: number(`${base}.0.0.0`.split('.').slice(0, 4).join('.')), prefix: Number(prefix) };
});
const isGlobal = (row: Row): boolean =>
  !own.some(({ base, prefix }) => prefix <= row.prefix && (row.base & mask(prefix)) >>> 0 === base);

/** configd makes the connected routes of what it manages static; the tap's is the kernel's own. */
const flagsOf = (row: Row): string => {
  if (row.gateway.startsWith('link#')) return /^(?:tap|bridge)/.test(row.interface) ? 'UC' : 'UCS';
  if (row.gateway === row.interface) return 'USc';
  if (!row.isStatic) return 'UH';
  return row.isHost ? 'UGHS' : 'UGSc';
};

interface Line {
  readonly row: Row;
  readonly flags: string;
  readonly expire: string;
}

/**
 * What a bridge of vmnet's has beside its network: a default route of its own scope, which is nobody's who does not ask
 * for that interface, and its neighbours.
 */
const bridgeLines = (bridge: Interface, neighbours: readonly Neighbour[]): Line[] => {
  const own = { isStatic: false, interface: bridge.name };
  const link = `link#${bridge.index}`;
  return [
    {
      row: { ...own, base: 0, prefix: 0, gateway: link, isHost: false },
      flags: 'UCSI',
      expire: '!',
    },
    ...neighbours
      .filter((each) => each.interface === bridge.name)
      .map(({ address, mac, age }) => ({
        row: {
          ...own,
          base: number(address),
          prefix: 32,
          gateway: mac === null ? link : shortMac(mac, '.'),
          isHost: true,
        },
        flags: 'UHLWIi',
        expire: mac === null ? '!' : String(Math.max(1200 - age, 0)),
      })),
  ];
};

const linkLocal = number('169.254.0.0');

/** A route that is only there to be refused by, and a bridge's network. */
const expireOf = (row: Row): string =>
  row.base === linkLocal || (row.interface.startsWith('bridge') && row.gateway.startsWith('link#'))
    ? '!'
    : '';

function formatTable(rows: readonly Line[], macos: string): string {
  const { width, old } = layout(macos);
  const hasNoGlobal = Number.parseInt(macos, 10) < 11;
  const cells = (
    destination: string,
    gateway: string,
    flags: string,
    counts: string,
    name: string,
    expire: string,
  ): string =>
    `${destination.padEnd(18)} ${gateway.padEnd(18)} ${flags.padEnd(10).slice(0, 10)} ${counts}${name.slice(0, width).padStart(width)} ${expire.padStart(6)}`;
  const header = cells('Destination', 'Gateway', 'Flags', old ? '  Refs      Use ' : '', 'Netif', 'Expire');
  const sorted = [...rows].sort(({ row: a }, { row: b }) => a.base - b.base || a.prefix - b.prefix);
  const lines = sorted.map(({ row, flags, expire }) =>
    cells(
      shortDestination(row),
      row.interface === 'lo0' ? '127.0.0.1' : row.gateway,
      `${flags}${hasNoGlobal || !isGlobal(row) ? '' : 'g'}`,
      old ? `${'0'.padStart(6)} ${'0'.padStart(8)} ` : '',
      row.interface,
      expire,
    ),
  );
  return `Routing tables\n\nInternet:\n${[header, ...lines].join('\n')}\n`;
}

export async function netstat({ args, call }: Caller): Promise<Outcome> {
  const family = /^(?:-rn|-nr|-r -n|-n -r) -f (inet6?)$/.exec(args.join(' '))?.[1];
  if (family === undefined)
    return { status: 1, err: 'Usage:\tnetstat [-AaLlnW] [-f address_family | -p protocol]\n' };
  const { macos } = await call<{ macos: string }>('mac.about');
  const links = await call<Interface[]>('xnu.interfaces');
  if (family === 'inet6') {
    const rows = await call<Row6[]>('xnu.inet6.table');
    const neighbours = await call<Neighbour[]>('xnu.inet6.neighbours');
    return { status: 0, out: formatTable6({ rows, neighbours, links }, macos) };
  }
  const rows = await call<Row[]>('xnu.route.table');
  const bridges = links.filter(({ kind }) => kind === 'bridge');
  const neighbours = bridges.length === 0 ? [] : await call<Neighbour[]>('xnu.neighbours');
  const lines = [
    ...rows.map((row) => ({ row, flags: flagsOf(row), expire: expireOf(row) })),
    ...bridges.flatMap((bridge) => bridgeLines(bridge, neighbours)),
  ];
  return { status: 0, out: formatTable(lines, macos) };
}
