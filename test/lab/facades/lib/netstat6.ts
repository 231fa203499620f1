/** netstat -rn -f inet6, in the layout of the Mac's version (netstat.tproj/route.c); it never had Refs and Use. */
import { within6 } from '../../mac/xnu/inet6.js';
import type { Neighbour } from '../../mac/xnu/neighbours.js';
import { destination6, gateway6, type Row6 } from '../../mac/xnu/table6.js';
import { shortMac } from './darwin.js';

interface Layout {
  readonly gateway: number;
  readonly netif: number;
  /** Whether a row has a column for Expire at its end. */
  readonly padded: boolean;
  /** From macOS 11 on: the flag `g`, and rows of all multicast. */
  readonly isNew: boolean;
}

function layoutOf(macos: string): Layout {
  const [major = 0, minor = 0] = macos.split('.').map(Number);
  return {
    gateway: major >= 14 ? 39 : 31,
    netif: major >= 14 ? 14 : major >= 12 ? 10 : 8,
    padded: major > 10 || minor >= 14,
    isNew: major >= 11,
  };
}

const notGlobal: readonly (readonly [string, number])[] = [
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
];
const isGlobal = (row: Row6): boolean =>
  row.interface !== 'lo0' &&
  !notGlobal.some(([base, prefix]) => row.prefix >= prefix && within6(row.base, base, prefix));

/** Whom the kernel has asked for on a link: with a hardware address once it has answered. */
function rowOf({ address, interface: name, mac }: Neighbour, kind: string, index: number): Row6 {
  const isLocal = within6(address, 'fe80::', 10);
  return {
    ...{ base: address, prefix: 128, interface: name, flags: 'UHLWIi' },
    ...(isLocal ? { zone: name } : {}),
    gateway: mac === null ? `link#${index}` : shortMac(mac, kind === 'bridge' ? '.' : ':'),
  };
}

export interface Seen {
  readonly rows: readonly Row6[];
  readonly neighbours: readonly Neighbour[];
  readonly links: readonly { readonly name: string; readonly kind: string; readonly index: number }[];
}

export function formatTable6({ rows, neighbours, links }: Seen, macos: string): string {
  const { gateway, netif, padded, isNew } = layoutOf(macos);
  const cells = (destination: string, way: string, flags: string, name: string, expire: string): string =>
    `${destination.padEnd(39)} ${way.padEnd(gateway)} ${flags.padEnd(10)} ${name.padStart(netif)}${expire}`;
  const cloned = neighbours.flatMap((each) => {
    const link = links.find(({ name }) => name === each.interface);
    return link ? [rowOf(each, link.kind, link.index)] : [];
  });
  // Each behind the row that it is a clone of.
  const all = rows.flatMap((row) => [
    row,
    ...cloned.filter(
      (clone) =>
        /[Cc]/.test(row.flags) &&
        !row.flags.includes('m') &&
        row.prefix > 0 &&
        row.interface === clone.interface &&
        row.zone === clone.zone &&
        within6(clone.base, row.base, row.prefix),
    ),
  ]);
  const lines = all
    .filter((row) => isNew || row.base !== 'ff00::')
    .map((row) =>
      cells(
        destination6(row),
        gateway6(row),
        `${row.flags}${isNew && isGlobal(row) ? 'g' : ''}`,
        row.interface,
        padded ? ' '.repeat(7) : '',
      ),
    );
  const header = cells('Destination', 'Gateway', 'Flags', 'Netif', ' Expire');
  return `Routing tables\n\nInternet6:\n${[header, ...lines].join('\n')}\n`;
}
