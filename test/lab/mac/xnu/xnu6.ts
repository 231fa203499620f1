/**
 * The lab's IPv6: XNU's table (table6.ts) kept true in the lab's own Linux network namespace. Duplicates are really
 * looked for, by Linux.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Handlers } from '../rpc.js';
import { linkLocalOf, number6, text6 } from './inet6.js';
import { type Interface, KernelError } from './table.js';
import {
  addRow6,
  type Address6,
  changeRow6,
  deleteRow6,
  type Destination6,
  endDetection,
  expireNetworks,
  lookup6,
  type Link6,
  linkNamed,
  removeAddress6,
  removeLink6,
  type Row6,
  setAddress6,
  sorted6,
  type Table6,
  takeRow6,
  type Way6,
} from './table6.js';

export type Inet6Action =
  | {
      readonly do: 'set6';
      readonly address: string;
      readonly prefix: number;
      /** Changes nothing but who refuses it first. */
      readonly alias: boolean;
    }
  | { readonly do: 'delete6'; readonly address?: string }
  | { readonly do: 'dad'; readonly on: boolean };

export interface Link6Told extends Pick<Link6, 'addresses' | 'detects' | 'disabled'> {
  readonly name: string;
}

/** IPv6 of the kernel's interfaces, which come, change and go elsewhere (xnu.ts). */
export interface Inet6 {
  readonly attach: (each: Interface) => void;
  readonly detach: (name: string) => void;
  /** The interface has come up or gone down, and Linux has lost of it what XNU keeps. */
  readonly changed: (name: string) => Promise<void>;
  readonly apply: (name: string, action: Inet6Action) => Promise<void>;
  /** What another part of macOS gives an interface (`marks` as ifconfig prints them), in use at once. */
  readonly give: (name: string, address: string, prefix: number, marks: readonly string[]) => void;
  readonly openTunnel: (name: string, address: string, prefix: number) => Promise<void>;
  /** A network's row leads to this tunnel from now on. */
  readonly take: (name: string, base: string, prefix: number) => Promise<void>;
  /** Tells Linux the routes again, after it has dropped some of its own accord. */
  readonly syncRoutes: (anew?: boolean) => Promise<void>;
  readonly handlers: Handlers;
}

interface Parts {
  readonly ipQuietly: (...args: readonly string[]) => void;
  readonly routesInLinux: (commands: readonly string[], linksChanged?: boolean) => Promise<void>;
  readonly tell: (event: string) => void;
  readonly kernel: <T>(work: () => T | Promise<T>) => Promise<T>;
}

interface LinuxAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly tentative?: boolean;
  readonly dadfailed?: boolean;
}

/** What Linux has on a link, and whether anybody could hear it there. */
function inLinux(name: string): { addresses: LinuxAddress[]; hasCarrier: boolean } {
  try {
    const said = execFileSync('/.lab/bin/ip', ['-json', '-6', 'addr', 'show', 'dev', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [found] = JSON.parse(said) as { flags?: string[]; addr_info?: LinuxAddress[] }[];
    return { addresses: found?.addr_info ?? [], hasCarrier: found?.flags?.includes('LOWER_UP') === true };
  } catch {
    return { addresses: [], hasCarrier: false };
  }
}

/**
 * IPv6 as macOS has it, whatever this host's is: on; by strong ends (ip6_select_src_strong_end): only the addresses of
 * the interface that a packet leaves by are its source; and deaf to routers, as an interface is that configd has not told
 * to listen (nd6_ra_input), or Linux takes an address from what bootpd says for the Mac itself.
 */
function prepareLinux(): void {
  const folder = '/proc/sys/net/ipv6/conf';
  for (const name of readdirSync(folder)) {
    const set = (key: string, value: string): void => {
      writeFileSync(`${folder}/${name}/${key}`, value);
    };
    set('disable_ipv6', '0');
    set('use_oif_addrs_only', '1');
    set('accept_ra', '0');
  }
}

/** Before Linux's own row of a network, which a tunnel may have taken. */
const metric = 64;
/** Milliseconds until nd6_timer has noticed that a network has no address any more. */
const expiry = 2000;
/** Milliseconds from one look at Linux's detection to the next. */
const interval = 100;

export function createInet6({ ipQuietly, routesInLinux, tell, kernel }: Parts): Inet6 {
  prepareLinux();
  const table: Table6 = { links: new Map(), rows: [] };
  /** What Linux was told, by destination. */
  const installedInLinux = new Map<string, string>();

  function syncRoutes(anew = false): Promise<void> {
    const isToldToLinux = ({ flags }: Row6): boolean => /[GS]/.test(flags) && !flags.includes('I');
    const wanted = new Map(
      table.rows.filter(isToldToLinux).map((row) => {
        const destination = `${row.base}/${row.prefix} metric ${metric}`;
        if (row.flags.includes('R')) return [`unreachable ${destination}`, ''] as const;
        if (row.flags.includes('B')) return [`blackhole ${destination}`, ''] as const;
        const via = row.flags.includes('G') ? `via ${row.gateway} onlink ` : '';
        return [destination, `${via}dev ${row.interface}`] as const;
      }),
    );
    const gone = [...installedInLinux].filter(([to, how]) => anew || wanted.get(to) !== how);
    const come = [...wanted].filter(([to, how]) => anew || installedInLinux.get(to) !== how);
    for (const [to] of gone) installedInLinux.delete(to);
    for (const [to, how] of come) installedInLinux.set(to, how);
    // Linux does not replace a route by one of another kind.
    const commands = [
      ...gone.map(([to]) => `route del ${to}`),
      ...come.map(([to, how]) => `route add ${to} ${how}`.trim()),
    ];
    return routesInLinux(commands, anew);
  }

  /** The addresses of an interface into Linux; those in `detected` are asked for there, all others are in use at once. */
  function syncAddresses(name: string, detected: readonly Address6[] = []): void {
    const known = inLinux(name).addresses;
    const wanted = table.links.get(name)?.addresses ?? [];
    const isKnown = (own: Address6): boolean =>
      !detected.includes(own) &&
      known.some(({ local, tentative, dadfailed }) => {
        const isAsked = tentative === true || dadfailed === true;
        return local === own.address && (own.state === 'duplicated' || own.state === 'tentative' || !isAsked);
      });
    for (const { local, prefixlen } of known)
      if (!wanted.some((own) => own.address === local && isKnown(own)))
        ipQuietly('-6', 'addr', 'del', `${local}/${prefixlen}`, 'dev', name);
    for (const own of wanted.filter((each) => !isKnown(each))) {
      const how = own.state === 'tentative' || own.state === 'duplicated' ? [] : ['nodad'];
      ipQuietly('-6', 'addr', 'add', `${own.address}/${own.prefix}`, 'dev', name, ...how);
    }
  }

  /** One question after up to a second, and a second for its answer (nd6_dad_start); Linux asks it meanwhile. */
  async function detect(link: Link6, own: Address6): Promise<void> {
    const begun = own.state;
    const { name } = link.of;
    const isOver = (): boolean =>
      table.links.get(name) !== link || !link.addresses.includes(own) || own.state !== begun;
    await pause(1000 + Math.random() * 1000);
    for (;;) {
      if (isOver()) return;
      const { addresses, hasCarrier } = inLinux(name);
      const found = addresses.find(({ local }) => local === own.address);
      if (found?.tentative !== true || found.dadfailed === true || !hasCarrier) {
        endDetection(link, own, found?.dadfailed === true);
        syncAddresses(name);
        return;
      }
      await pause(interval);
    }
  }

  function set(name: string, address: string, prefix: number): void {
    const link = linkNamed(table, name);
    const before = link.addresses.find((own) => own.address === address);
    // Another detection than the one that may still be under way.
    if (before) link.addresses = link.addresses.map((own) => (own === before ? { ...own } : own));
    const begun = setAddress6(table, name, { address, prefix });
    syncAddresses(name, begun);
    for (const own of begun) void detect(link, own);
  }

  const give: Inet6['give'] = (name, address, prefix, marks) => {
    const link = linkNamed(table, name);
    const { detects } = link;
    link.detects = false;
    setAddress6(table, name, { address: text6(number6(address) ?? 0n), prefix }, marks);
    link.detects = detects;
    syncAddresses(name);
  };

  function remove(name: string, address?: string): void {
    removeAddress6(table, name, address);
    syncAddresses(name);
    setTimeout(() => {
      expireNetworks(table);
    }, expiry).unref();
  }

  async function apply(name: string, action: Inet6Action): Promise<void> {
    if (action.do === 'dad') {
      linkNamed(table, name).detects = action.on;
      return;
    }
    if (action.do === 'set6') set(name, action.address, action.prefix);
    else remove(name, action.address);
    await syncRoutes(true);
    tell(
      `RTM_${action.do === 'set6' ? 'NEW' : 'DEL'}ADDR: address being ${action.do === 'set6' ? 'added to' : 'removed from'} iface: len 128, metric 0, flags:<UP>`,
    );
  }

  const routeOp =
    (verb: 'add' | 'delete' | 'change') =>
    async ({ to, way }: { to: Destination6; way: Way6 }): Promise<void> => {
      await kernel(() => {
        if (verb === 'add') addRow6(table, to, way);
        else if (verb === 'delete') deleteRow6(table, to);
        else changeRow6(table, to, way);
      });
      await syncRoutes();
      tell(
        verb === 'delete'
          ? 'RTM_DELETE: Delete Route: len 132, pid: 1, seq 1, errno 0, flags:<GATEWAY,DONE,STATIC>'
          : 'RTM_ADD: Add Route: len 132, pid: 1, seq 1, errno 0, flags:<UP,GATEWAY,DONE,STATIC>',
      );
    };

  /** A router on the office network: it gives en0 an address of this /64, and is the way to the internet. */
  async function router({ network }: { network: string }): Promise<void> {
    const link = linkNamed(table, 'en0');
    const router = 'fe80::1';
    const own = linkLocalOf(link.of.mac).replace('fe80::', network.replace(/:$/, ''));
    give('en0', own, 64, ['autoconf', 'secured']);
    table.rows.push({ base: '::', prefix: 0, gateway: router, interface: 'en0', flags: 'UGc' });
    await syncRoutes(true);
    tell('RTM_ADD: Add Route: len 132, pid: 1, seq 1, errno 0, flags:<UP,GATEWAY,DONE,PRCLONING>');
  }

  async function routerGoes(): Promise<void> {
    table.rows = table.rows.filter(({ prefix, interface: name }) => prefix > 0 || name !== 'en0');
    const link = linkNamed(table, 'en0');
    for (const { address, marks } of link.addresses)
      if (marks.includes('autoconf')) removeAddress6(table, 'en0', address);
    expireNetworks(table);
    syncAddresses('en0');
    await syncRoutes(true);
    tell('RTM_DELETE: Delete Route: len 132, pid: 1, seq 1, errno 0, flags:<GATEWAY,DONE,PRCLONING>');
  }

  return {
    attach: (each) => {
      // A member of a bridge has no IPv6 of its own.
      if (each.kind === 'vmenet') return;
      const link: Link6 = { of: each, addresses: [], detects: true, disabled: false };
      table.links.set(each.name, link);
      if (each.kind === 'loopback') {
        link.addresses = [
          { address: '::1', prefix: 128, state: 'usable', marks: [] },
          { address: 'fe80::1', prefix: 64, state: 'usable', marks: [] },
        ];
        return;
      }
      // No link-local address of Linux's own accord.
      ipQuietly('link', 'set', each.name, 'addrgenmode', 'none');
      if (each.kind === 'ethernet')
        link.addresses = [
          { address: linkLocalOf(each.mac), prefix: 64, state: 'usable', marks: ['secured'] },
        ];
      syncAddresses(each.name);
    },
    detach: (name) => {
      removeLink6(table, name);
      void syncRoutes(true);
    },
    changed: async (name) => {
      if (table.links.has(name)) syncAddresses(name);
      await syncRoutes(true);
    },
    apply,
    give,
    openTunnel: async (name, address, prefix) => {
      const own = text6((0xfe80n << 112n) | BigInt(`0x${randomBytes(8).toString('hex')}`));
      give(name, own, 64, []);
      give(name, address, prefix, []);
      table.rows.push({ base: '::', prefix: 0, gateway: 'fe80::', interface: name, flags: 'UGcI' });
      await syncRoutes(true);
    },
    take: (name, base, prefix) => {
      takeRow6(table, { base, prefix, isHost: false }, name);
      return syncRoutes();
    },
    syncRoutes,
    handlers: {
      'xnu.inet6.links': (): Link6Told[] =>
        [...table.links].map(([name, { addresses, detects, disabled }]) => ({
          ...{ name, addresses, detects, disabled },
        })),
      'xnu.inet6.table': () => sorted6(table),
      'xnu.inet6.add': routeOp('add'),
      'xnu.inet6.delete': routeOp('delete'),
      'xnu.inet6.change': routeOp('change'),
      'xnu.inet6.get': ({ address, zone }: { address: string; zone?: string }) =>
        kernel(() => {
          const row = lookup6(table, address, zone);
          if (!row) throw new KernelError('ESRCH');
          return row;
        }),
      'xnu.inet6.router': router,
      'xnu.inet6.router-goes': routerGoes,
    },
  };
}
