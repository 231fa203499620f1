/**
 * XNU's IPv6 addresses and routing table by the kernel's own rules (netinet6/in6.c, nd6.c, nd6_rtr.c, nd6_nbr.c): pure
 * data and functions. Unlike IPv4's, an address stays until it is deleted by name, outlives `down`, and leaves its
 * network's row behind for a while.
 */
import { isLinkLocal, linkLocalOf, mask6, network6, number6, text6, within6, zoned } from './inet6.js';
import { type Interface, KernelError } from './table.js';

export interface Address6 {
  readonly address: string;
  readonly prefix: number;
  /** `tentative` and `optimistic` while duplicates are looked for; `optimistic` may be used meanwhile. */
  state: 'usable' | 'tentative' | 'optimistic' | 'duplicated';
  /** What ifconfig prints of it beside that (`autoconf`, `secured`). */
  readonly marks: readonly string[];
}

export interface Link6 {
  readonly of: Pick<Interface, 'name' | 'index' | 'kind' | 'mac' | 'up'>;
  addresses: Address6[];
  /** The nd6 flag DAD: whether duplicates are looked for. */
  detects: boolean;
  /** The nd6 flag IFDISABLED, once another has the link-local address. */
  disabled: boolean;
}

export interface Row6 {
  readonly base: string;
  readonly prefix: number;
  /** The interface that a link-local destination is of. */
  readonly zone?: string;
  /** An address without its zone, `link#N`, an interface's name, or a hardware address. */
  gateway: string;
  interface: string;
  /** As netstat prints them, without `g`. `I`: for packets that are bound to its interface alone. */
  readonly flags: string;
}

export interface Table6 {
  readonly links: Map<string, Link6>;
  rows: Row6[];
}

const isScoped = ({ flags }: Row6): boolean => flags.includes('I');
const isConnected = ({ flags }: Row6): boolean => /^U[Cc]I?$/.test(flags);
const same = (row: Row6, base: string, prefix: number): boolean =>
  row.zone === undefined && !isScoped(row) && row.base === base && row.prefix === prefix;

export function linkNamed(table: Table6, name: string): Link6 {
  const found = table.links.get(name);
  if (!found) throw new KernelError('ENXIO');
  return found;
}

/** What a tunnel's rows lead to is its own link-local address, those of all others the link. */
function ownGateway({ of, addresses }: Link6): string {
  const own = addresses.find(({ address }) => isLinkLocal(address))?.address;
  if (of.kind === 'tunnel' && own !== undefined) return own;
  return `link#${of.index}`;
}

/** Rows that are there because of a link's addresses, and go with them at once. */
function rowsOf(link: Link6): Row6[] {
  const { name, index, kind, mac } = link.of;
  const cloning = kind === 'tunnel' || kind === 'loopback' ? 'Uc' : 'UC';
  const separator = kind === 'bridge' ? '.' : ':';
  const short = mac.split(':').map((byte) => Number.parseInt(byte, 16).toString(16));
  const hardware = mac === '' ? `link#${index}` : short.join(separator);
  const toItself = link.addresses.map(({ address }): Row6 => {
    const local = isLinkLocal(address);
    const gateway = kind === 'loopback' && !local ? address : hardware;
    return {
      ...{ base: address, prefix: 128, gateway, interface: 'lo0', flags: local ? 'UHLI' : 'UHL' },
      ...(local ? { zone: name } : {}),
    };
  });
  const gateway = kind === 'loopback' ? '::1' : ownGateway(link);
  const multicast = { gateway, interface: name, flags: 'UmCI' };
  const local = link.addresses.find(({ address }) => isLinkLocal(address));
  return [
    ...toItself,
    ...(local
      ? [
          {
            ...{ base: 'fe80::', prefix: 64, zone: name, interface: name, flags: `${cloning}I` },
            gateway: kind === 'loopback' ? local.address : ownGateway(link),
          },
        ]
      : []),
    ...(link.addresses.length > 0
      ? [
          { base: 'ff00::', prefix: 8, ...multicast },
          { base: 'ff01::', prefix: 32, zone: name, ...multicast },
          { base: 'ff02::', prefix: 32, zone: name, ...multicast },
        ]
      : []),
  ];
}

/** Every row there is. */
const rows6 = (table: Table6): Row6[] => [...table.rows, ...[...table.links.values()].flatMap(rowsOf)];

/** The row that a packet to `address` takes, of a link-local one by `zone`. */
export const lookup6 = (table: Table6, address: string, zone?: string): Row6 | undefined =>
  rows6(table)
    .filter(
      (row) =>
        within6(address, row.base, row.prefix) &&
        (zone !== undefined && isLinkLocal(address)
          ? row.zone === zone
          : row.zone === undefined && !isScoped(row)),
    )
    .sort((a, b) => b.prefix - a.prefix)[0];

/** ifa_ifwithroute: the interface whose network holds the gateway, or else that of the route there. */
function bind6(table: Table6, gateway: string, zone?: string): string {
  if (zone !== undefined) return zone;
  const onLink = [...table.links.values()].find(({ addresses }) =>
    addresses.some(
      ({ address, prefix }) => !isLinkLocal(address) && within6(gateway, network6(address, prefix), prefix),
    ),
  );
  const through = onLink?.of.name ?? lookup6(table, gateway)?.interface;
  if (through === undefined) throw new KernelError('ENETUNREACH');
  return through;
}

export interface Destination6 {
  readonly base: string;
  readonly prefix: number;
  readonly isHost: boolean;
}

export interface Way6 {
  readonly gateway?: string;
  /** Of a link-local gateway. */
  readonly zone?: string;
  /** Instead of a gateway. */
  readonly interface?: string;
  /** RTF_REJECT, RTF_BLACKHOLE */
  readonly refuses?: 'R' | 'B';
}

export function addRow6(table: Table6, to: Destination6, way: Way6): void {
  const base = network6(to.base, to.prefix);
  if (rows6(table).some((row) => same(row, base, to.prefix))) throw new KernelError('EEXIST');
  const name = way.interface ?? bind6(table, way.gateway ?? '::', way.zone);
  linkNamed(table, name);
  const by = way.interface === undefined ? 'G' : '';
  const flags = `U${by}${to.isHost ? 'H' : ''}${way.refuses ?? ''}S${to.isHost ? '' : 'c'}`;
  table.rows.push({ base, prefix: to.prefix, gateway: way.gateway ?? name, interface: name, flags });
}

/** Whatever its gateway: the kernel looks at destination and mask alone. */
export function deleteRow6(table: Table6, to: Destination6): void {
  const base = network6(to.base, to.prefix);
  if (!table.rows.some((row) => same(row, base, to.prefix))) throw new KernelError('ESRCH');
  table.rows = table.rows.filter((row) => !same(row, base, to.prefix));
}

export function changeRow6(table: Table6, to: Destination6, way: Way6): void {
  const base = network6(to.base, to.prefix);
  const row = table.rows.find((found) => same(found, base, to.prefix));
  if (!row) throw new KernelError('ESRCH');
  row.interface = way.interface ?? bind6(table, way.gateway ?? '::', way.zone);
  row.gateway = way.gateway ?? row.interface;
}

/** As takeRow of table.ts: the row of a network leads to a tunnel from now on. */
export function takeRow6(table: Table6, to: Destination6, name: string): void {
  const { index } = linkNamed(table, name).of;
  const base = network6(to.base, to.prefix);
  table.rows = table.rows.filter((row) => !same(row, base, to.prefix));
  table.rows.push({ base, prefix: to.prefix, gateway: `link#${index}`, interface: name, flags: 'UCS' });
}

/** Its own network's row; scoped where another interface has that network already (nd6_prefix_onlink_common). */
function connect6(table: Table6, link: Link6, address: string, prefix: number): void {
  if (prefix === 128 || isLinkLocal(address)) return;
  const base = network6(address, prefix);
  const { name, kind } = link.of;
  const known = table.rows.filter((row) => row.base === base && row.prefix === prefix);
  if (known.some((row) => row.interface === name)) return;
  const scope = known.some((row) => same(row, base, prefix)) ? 'I' : '';
  const flags = `${kind === 'tunnel' ? 'Uc' : 'UC'}${scope}`;
  table.rows.push({ base, prefix, gateway: ownGateway(link), interface: name, flags });
}

function isRefused(address: string): boolean {
  return address === '::' || within6(address, 'ff00::', 8) || within6(address, text6(0xffffn << 32n), 96);
}

/**
 * SIOCAIFADDR_IN6. Nothing that was there goes. Returns the addresses whose detection begins: the new one, also when the
 * interface had it already, and with an interface's first one its own link-local address (in6_ifattach_aliasreq).
 */
export function setAddress6(
  table: Table6,
  name: string,
  { address, prefix }: { address: string; prefix: number },
  marks: readonly string[] = [],
): Address6[] {
  const link = linkNamed(table, name);
  if (isRefused(address)) throw new KernelError('EINVAL');
  // Not on the loopback or a tunnel, and of an interface that is not up there is nothing to be asked.
  const detects = link.detects && link.of.up && link.of.kind !== 'loopback' && link.of.kind !== 'tunnel';
  const begun: Address6[] = [];
  const begin = (own: Address6, state: 'tentative' | 'optimistic'): void => {
    own.state = detects ? state : 'usable';
    if (detects) begun.push(own);
  };
  if (link.addresses.length === 0 && link.of.mac !== '' && !isLinkLocal(address)) {
    const own: Address6 = { address: linkLocalOf(link.of.mac), prefix: 64, state: 'usable', marks: [] };
    link.addresses.push(own);
    begin(own, 'optimistic');
  }
  const known = link.addresses.find((each) => each.address === address);
  const own = known ?? { address, prefix, state: 'usable', marks };
  if (!known) link.addresses.push(own);
  begin(own, 'tentative');
  // Of an address that was there the length stays; the network is another one all the same.
  connect6(table, link, address, prefix);
  return begun;
}

/** SIOCDIFADDR_IN6: the address goes, its network's row is expired later, static routes stay. */
export function removeAddress6(table: Table6, name: string, address?: string): void {
  const link = linkNamed(table, name);
  if (!link.addresses.some((each) => each.address === address)) throw new KernelError('EADDRNOTAVAIL');
  link.addresses = link.addresses.filter((each) => each.address !== address);
}

/** nd6_timer: networks that no address is in any more; what was second of one becomes its first. */
export function expireNetworks(table: Table6): void {
  const isHeld = (row: Row6): boolean =>
    table.links
      .get(row.interface)
      ?.addresses.some(({ address }) => within6(address, row.base, row.prefix)) === true;
  const gone = table.rows.filter((row) => isConnected(row) && !isHeld(row));
  table.rows = table.rows.filter((row) => !gone.includes(row));
  for (const { base, prefix } of gone) {
    if (table.rows.some((row) => same(row, base, prefix))) continue;
    const next = table.rows.findIndex(
      (row) => row.base === base && row.prefix === prefix && isConnected(row),
    );
    const row = table.rows[next];
    if (row) table.rows[next] = { ...row, flags: row.flags.replace('I', '') };
  }
}

/** nd6_dad_timer: the detection of an address is over. */
export function endDetection(link: Link6, own: Address6, isDuplicate: boolean): void {
  own.state = isDuplicate ? 'duplicated' : 'usable';
  if (isDuplicate && own.address === linkLocalOf(link.of.mac)) link.disabled = true;
}

/** if_detach: addresses and every route through the interface go with it. */
export function removeLink6(table: Table6, name: string): void {
  table.links.delete(name);
  table.rows = table.rows.filter((row) => row.interface !== name);
}

const scopeBits = (table: Table6, { zone }: Row6): bigint =>
  BigInt((zone === undefined ? undefined : table.links.get(zone)?.of.index) ?? 0) << 96n;

/** In the order of the kernel's tree, where a link-local address has its interface's number in its second group. */
export const sorted6 = (table: Table6): Row6[] => {
  const key = (row: Row6): bigint => (number6(row.base) ?? 0n) | scopeBits(table, row);
  return rows6(table).sort((a, b) => {
    const [first, second] = [key(a), key(b)];
    if (first !== second) return first < second ? -1 : 1;
    return a.prefix - b.prefix || Number(isScoped(a)) - Number(isScoped(b));
  });
};

/** A destination as netstat and `route get` print it. */
export const destination6 = ({ base, prefix, zone, flags }: Row6): string => {
  if (prefix === 0) return 'default';
  const address = zone === undefined ? base : `${base}%${zone}`;
  return flags.includes('H') ? address : `${address}/${prefix}`;
};

export const gateway6 = (row: Row6): string =>
  number6(row.gateway) === null ? row.gateway : zoned(row.gateway, row.interface);

export const maskText6 = (prefix: number): string => text6(mask6(prefix));
