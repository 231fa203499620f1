/** /usr/sbin/netstat -rn -f inet, in the layout of the Mac's version (netstat.tproj/route.c). */
import { mask, number, type Row } from '../mac/xnu/table.js';
import { shortDestination } from './lib/darwin.js';
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
  if (row.gateway.startsWith('link#')) return row.interface.startsWith('tap') ? 'UC' : 'UCS';
  if (row.gateway === row.interface) return 'USc';
  if (!row.isStatic) return 'UH';
  return row.isHost ? 'UGHS' : 'UGSc';
};

const linkLocal = number('169.254.0.0');

function formatTable(rows: readonly Row[], macos: string): string {
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
  const sorted = [...rows].sort((a, b) => a.base - b.base || a.prefix - b.prefix);
  const lines = sorted.map((row) =>
    cells(
      shortDestination(row),
      row.interface === 'lo0' ? '127.0.0.1' : row.gateway,
      `${flagsOf(row)}${hasNoGlobal || !isGlobal(row) ? '' : 'g'}`,
      old ? `${'0'.padStart(6)} ${'0'.padStart(8)} ` : '',
      row.interface,
      // A route that is only there to be refused by.
      row.base === linkLocal ? '!' : '',
    ),
  );
  return `Routing tables\n\nInternet:\n${[header, ...lines].join('\n')}\n`;
}

export async function netstat({ args, call }: Caller): Promise<Outcome> {
  if (!/^(-rn|-nr|-r -n|-n -r) -f inet$/.test(args.join(' ')))
    return { status: 1, err: 'Usage:\tnetstat [-AaLlnW] [-f address_family | -p protocol]\n' };
  const { macos } = await call<{ macos: string }>('mac.about');
  return { status: 0, out: formatTable(await call<Row[]>('xnu.route.table'), macos) };
}
