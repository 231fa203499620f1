/**
 * XNU's IPv4 interfaces and routing table by the kernel's own rules (bsd/net/route.c, rtsock.c, in.c): pure data
 * and functions; what Linux is told follows from it.
 */
export interface Address {
  readonly address: string;
  readonly prefix: number;
  /** The other end of a point-to-point interface. */
  readonly peer?: string;
}

export interface Interface {
  readonly name: string;
  readonly index: number;
  readonly kind: 'loopback' | 'ethernet' | 'tap' | 'tunnel' | 'bridge' | 'vmenet';
  readonly mac: string;
  mtu: number;
  up: boolean;
  addresses: Address[];
  /** pid of whoever holds the tap device. */
  readonly holder: number | null;
}

export interface Row {
  readonly base: number;
  readonly prefix: number;
  /** Dotted quad, `link#N`, or the interface's own name (`-interface`). */
  gateway: string;
  interface: string;
  readonly isStatic: boolean;
  readonly isHost: boolean;
  /** For packets that are bound to its interface alone (RTF_IFSCOPE): to all others it is not there. */
  readonly isScoped?: boolean;
}

export const number = (address: string): number =>
  address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
export const dotted = (value: number): string =>
  [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
export const mask = (prefix: number): number => (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);
const within = (address: number, row: { base: number; prefix: number }): boolean =>
  (address & mask(row.prefix)) >>> 0 === row.base;

/** An error of the kernel with its errno's name. */
export class KernelError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export interface Table {
  interfaces: Interface[];
  rows: Row[];
}

const same = (a: Row, base: number, prefix: number): boolean =>
  a.base === base && a.prefix === prefix && a.isScoped !== true;

/** The row that a packet to `address` takes. */
export const lookup = (table: Table, address: number): Row | undefined =>
  table.rows
    .filter((row) => row.isScoped !== true && within(address, row))
    .sort((a, b) => b.prefix - a.prefix)[0];

/** ifa_ifwithroute: the interface whose network holds the gateway, or else that of the default route. */
function bind(table: Table, gateway: string): string {
  const target = number(gateway);
  const onLink = table.interfaces.find(
    ({ up, addresses }) =>
      up &&
      addresses.some(({ address, prefix }) =>
        within(target, { base: (number(address) & mask(prefix)) >>> 0, prefix }),
      ),
  );
  const through = onLink?.name ?? lookup(table, target)?.interface;
  if (through === undefined) throw new KernelError('ENETUNREACH');
  return through;
}

export function addRow(
  table: Table,
  base: number,
  prefix: number,
  gateway: string,
  via: { interface?: string; host?: boolean } = {},
): void {
  if (table.rows.some((row) => same(row, base, prefix))) throw new KernelError('EEXIST');
  const name = via.interface ?? bind(table, gateway);
  table.rows.push({ base, prefix, gateway, interface: name, isStatic: true, isHost: via.host ?? false });
}

/** Whatever its gateway: the kernel looks at destination and mask alone. */
export function deleteRow(table: Table, base: number, prefix: number): void {
  if (!table.rows.some((row) => same(row, base, prefix))) throw new KernelError('ESRCH');
  table.rows = table.rows.filter((row) => !same(row, base, prefix));
}

export function changeRow(table: Table, base: number, prefix: number, gateway: string): void {
  const row = table.rows.find((found) => same(found, base, prefix));
  if (!row) throw new KernelError('ESRCH');
  row.interface = bind(table, gateway);
  row.gateway = gateway;
}

export function interfaceNamed(table: Table, name: string): Interface {
  const found = table.interfaces.find((each) => each.name === name);
  if (!found) throw new KernelError('ENXIO');
  return found;
}

const networkOf = ({ address, prefix }: Address): number => (number(address) & mask(prefix)) >>> 0;

function connect(table: Table, each: Interface, own: Address): void {
  const base = networkOf(own);
  if (table.rows.some((row) => same(row, base, own.prefix))) return;
  table.rows.push({
    base,
    prefix: own.prefix,
    gateway: `link#${each.index}`,
    interface: each.name,
    isStatic: false,
    isHost: false,
  });
}

/** A point-to-point interface's address: the kernel's own host route leads to the other end. */
export function setPeer(table: Table, name: string, address: string, peer: string): void {
  const each = interfaceNamed(table, name);
  each.addresses = [...each.addresses, { address, prefix: 32, peer }];
  table.rows.push({
    base: number(peer),
    prefix: 32,
    gateway: address,
    interface: name,
    isStatic: false,
    isHost: true,
  });
}

/**
 * What a VPN’s network extension does for an exit node, and `route add` cannot: the connected row of a network leads to
 * its tunnel from now on (netstat of macOS 14 with Tailscale: `10.0.75/30 link#24 UCS utun6`).
 */
export function takeRow(table: Table, base: number, prefix: number, name: string): void {
  const { index } = interfaceNamed(table, name);
  table.rows = table.rows.filter((row) => !same(row, base, prefix));
  const gateway = `link#${index}`;
  table.rows.push({ base, prefix, gateway, interface: name, isStatic: true, isHost: false });
}

/** in_ifscrub: only the connected route goes; static ones through it stay. */
export function removeAddress(table: Table, name: string, address: string): void {
  const each = interfaceNamed(table, name);
  const own = each.addresses.find((known) => known.address === address);
  if (!own) throw new KernelError('EADDRNOTAVAIL');
  each.addresses = each.addresses.filter((known) => known !== own);
  table.rows = table.rows.filter(
    (row) => row.isStatic || row.interface !== name || !same(row, networkOf(own), own.prefix),
  );
}

/** SIOCAIFADDR; without `alias` ifconfig deletes the first address before. */
export function setAddress(table: Table, name: string, own: Address, alias: boolean): void {
  const each = interfaceNamed(table, name);
  const [first] = each.addresses;
  if (!alias && first) removeAddress(table, name, first.address);
  each.addresses = [...each.addresses.filter(({ address }) => address !== own.address), own];
  if (each.up) connect(table, each, own);
}

export function setUp(table: Table, name: string, up: boolean): void {
  const each = interfaceNamed(table, name);
  each.up = up;
  if (up) for (const own of each.addresses) connect(table, each, own);
  // in_ifadown: every route through the interface's addresses, static ones too.
  else table.rows = table.rows.filter((row) => row.interface !== name);
}

/** if_detach: addresses and every route through the interface go with it. */
export function removeInterface(table: Table, name: string): void {
  table.interfaces = table.interfaces.filter((each) => each.name !== name);
  table.rows = table.rows.filter((row) => row.interface !== name);
}
