/**
 * The lab's kernel network: XNU's table (table.ts) kept true in the lab's own Linux network namespace, and the tap
 * kext with its sixteen devices.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { type Caller, type Handlers, MachineError } from '../rpc.js';
import { keepIp } from './linux-ip.js';
import { macAddress } from './mac-address.js';
import { neighbours } from './neighbours.js';
import { createInet6, type Inet6, type Inet6Action } from './xnu6.js';
import {
  addRow,
  changeRow,
  deleteRow,
  dotted,
  type Interface,
  interfaceNamed,
  KernelError,
  lookup,
  mask,
  number,
  removeAddress,
  removeInterface,
  setAddress,
  setPeer,
  setUp,
  type Table,
  takeRow,
} from './table.js';

export type KextState = 'loaded' | 'installed' | 'refused' | 'absent';

export type IfconfigAction =
  | { readonly do: 'up' | 'down' }
  | { readonly do: 'mtu'; readonly mtu: number }
  | { readonly do: 'set' | 'alias'; readonly address: string; readonly prefix: number }
  | { readonly do: 'delete'; readonly address?: string }
  | Inet6Action;

/** The kernel's interfaces, as a part of macOS makes, changes and removes them. */
export interface Network {
  readonly interfaces: () => readonly Interface[];
  /** Into the table; the link itself is Linux's already. */
  readonly attach: (each: Omit<Interface, 'index'>) => Interface;
  /** Out of the table and of Linux, with every route through it. */
  readonly detach: (name: string) => void;
  readonly apply: (name: string, action: IfconfigAction) => Promise<void>;
  /** Calls back after every change of an interface or a route. */
  readonly listen: (listener: () => void) => void;
  readonly giveInet6: Inet6['give'];
  /** Linux's own `ip`; the second one passes over what Linux refuses. */
  readonly ip: (...args: readonly string[]) => void;
  readonly ipQuietly: (...args: readonly string[]) => void;
}

const bundle = '/Library/Extensions/tap.kext';
const units = 16;

function ip(...args: readonly string[]): void {
  execFileSync('/.lab/bin/ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Linux refuses what it already has or no longer has; both are fine here. */
function ipQuietly(...args: readonly string[]): void {
  try {
    ip(...args);
  } catch {
    // What counts is the state afterwards.
  }
}

const kernel = async <T>(work: () => T | Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KernelError) throw new MachineError(error.code);
    throw error;
  }
};

export function createXnu(options: { kext: KextState }): {
  handlers: Handlers;
  network: Network;
  reset: () => void;
} {
  const table: Table = { interfaces: [], rows: [] };
  let nextIndex = 1;
  let loaded = false;
  let { kext } = options;
  const listeners = new Set<(event: string) => void>();
  /** What Linux was told, by destination. */
  const installedInLinux = new Map<string, string>();

  const tell = (event: string): void => {
    for (const listener of listeners) listener(event);
  };

  const routesInLinux = keepIp();

  /**
   * Static routes of the model into Linux: what has changed, or `anew` everything, since with an address or a link
   * Linux drops routes of its own accord.
   */
  function syncRoutes(anew = false): Promise<void> {
    const wanted = new Map<string, string>(
      table.rows
        .filter((row) => row.isStatic)
        .map((row) => {
          const isDirect = row.gateway === row.interface || row.gateway.startsWith('link#');
          const via = isDirect ? '' : `via ${row.gateway} onlink `;
          return [`${dotted(row.base)}/${row.prefix}`, `${via}dev ${row.interface}`] as const;
        }),
    );
    const gone = [...installedInLinux.keys()].filter((destination) => !wanted.has(destination));
    const changed = [...wanted].filter(
      ([destination, how]) => anew || installedInLinux.get(destination) !== how,
    );
    for (const destination of gone) installedInLinux.delete(destination);
    for (const [destination, how] of changed) installedInLinux.set(destination, how);
    const commands = [
      ...gone.map((destination) => `route del ${destination}`),
      ...changed.map(([destination, how]) => `route replace ${destination} ${how}`),
    ];
    return routesInLinux(commands, anew);
  }

  const inet6 = createInet6({ ipQuietly, routesInLinux, tell, kernel });

  const attach = (each: Omit<Interface, 'index'>): Interface => {
    const made = { ...each, index: nextIndex++ };
    table.interfaces.push(made);
    inet6.attach(made);
    return made;
  };

  const detach = (name: string): void => {
    removeInterface(table, name);
    ipQuietly('link', 'del', name);
    inet6.detach(name);
    void syncRoutes(true);
  };

  function nodes(present: boolean): void {
    loaded = present;
    for (let unit = 0; unit < units; unit += 1) {
      const path = `/dev/tap${unit}`;
      rmSync(path, { force: true });
      if (!present) continue;
      // The tun device, so that a real open() judges owner and mode.
      execFileSync('/usr/bin/mknod', ['-m', '0660', path, 'c', '10', '200']);
      chownSync(path, 0, 0);
      chmodSync(path, 0o660);
    }
  }

  function boot(): void {
    for (const { kind, name } of table.interfaces) {
      if (kind === 'tunnel') ipQuietly('link', 'del', name);
      inet6.detach(name);
    }
    table.interfaces = [];
    table.rows = [];
    nextIndex = 1;
    ip('link', 'set', 'lo', 'up');
    const lo = attach({
      name: 'lo0',
      kind: 'loopback',
      mac: '',
      mtu: 16384,
      up: true,
      addresses: [],
      holder: null,
    });
    setAddress(table, lo.name, { address: '127.0.0.1', prefix: 8 }, false);
    if (!existsSync('/proc/sys/net/ipv4/conf/en0'))
      ip('link', 'add', 'en0', 'type', 'veth', 'peer', 'name', 'lan0');
    ip('link', 'set', 'lan0', 'up');
    ip('link', 'set', 'en0', 'up');
    ipQuietly('addr', 'add', '192.168.1.20/24', 'dev', 'en0');
    attach({
      name: 'en0',
      kind: 'ethernet',
      mac: 'f0:18:98:21:43:65',
      mtu: 1500,
      up: true,
      addresses: [],
      holder: null,
    });
    setAddress(table, 'en0', { address: '192.168.1.20', prefix: 24 }, false);
    const own = { isStatic: false, isHost: false };
    table.rows.push(
      { ...own, base: number('127.0.0.1'), prefix: 32, gateway: '127.0.0.1', interface: 'lo0', isHost: true },
      { ...own, base: number('169.254.0.0'), prefix: 16, gateway: 'link#2', interface: 'en0' },
    );
    addRow(table, 0, 0, '192.168.1.1');
    void syncRoutes(true);
    nodes(kext === 'loaded');
  }

  function openTap(
    { unit, pid, uid }: { unit: number; pid: number; uid: number },
    caller: Caller,
  ): { name: string } {
    const name = `tap${unit}`;
    if (!loaded || !(unit >= 0 && unit < units)) throw new MachineError('ENXIO');
    if (table.interfaces.some((each) => each.name === name)) throw new MachineError('EBUSY');
    const mac = macAddress();
    ip('tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', String(uid));
    ip('link', 'set', name, 'address', mac);
    const made = attach({ name, kind: 'tap', mac, mtu: 1500, up: false, addresses: [], holder: pid });
    tell(
      `RTM_IFINFO: iface status change: len 112, if# ${made.index}, flags:<BROADCAST,RUNNING,SIMPLEX,MULTICAST>`,
    );
    caller.gone.addEventListener('abort', () => {
      detach(name);
      tell(
        `RTM_IFINFO: iface status change: len 112, if# ${made.index}, flags:<BROADCAST,SIMPLEX,MULTICAST>`,
      );
    });
    return { name };
  }

  /** A VPN client's utun: up, with an address and its other end, until it is removed. */
  async function openTunnel({
    name,
    address,
    peer,
    address6,
    prefix6 = 128,
  }: {
    name: string;
    address: string;
    peer: string;
    /** Its IPv6, if it has any. */
    address6?: string;
    prefix6?: number;
  }): Promise<void> {
    ip('tuntap', 'add', 'dev', name, 'mode', 'tun');
    ip('link', 'set', name, 'up');
    ip('addr', 'add', address, 'peer', peer, 'dev', name);
    attach({ name, kind: 'tunnel', mac: '', mtu: 1380, up: true, addresses: [], holder: null });
    setPeer(table, name, address, peer);
    if (address6 !== undefined) await inet6.openTunnel(name, address6, prefix6);
    await syncRoutes(true);
    tell('RTM_NEWADDR: address being added to iface: len 128, metric 0, flags:<UP>');
  }

  async function closeTunnel({ name }: { name: string }): Promise<void> {
    removeInterface(table, name);
    ip('tuntap', 'del', 'dev', name, 'mode', 'tun');
    inet6.detach(name);
    await syncRoutes(true);
    tell('RTM_DELADDR: address being removed from iface: len 128, metric 0, flags:<>');
  }

  /** The tunnel’s VPN has an exit node: this network is its from now on, until it closes. */
  async function takeNetwork({ name, network }: { name: string; network: string }): Promise<void> {
    const [address = '', prefix = ''] = network.split('/');
    await kernel(async () => {
      if (address.includes(':')) return inet6.take(name, address, Number(prefix));
      takeRow(table, number(address), Number(prefix), name);
      return syncRoutes();
    });
    tell('RTM_ADD: Add Route: len 132, pid: 1, seq 1, errno 0, flags:<UP,DONE,CLONING,STATIC>');
  }

  async function apply(name: string, action: IfconfigAction): Promise<void> {
    switch (action.do) {
      case 'up':
      case 'down':
        setUp(table, name, action.do === 'up');
        ipQuietly('link', 'set', name, action.do);
        await inet6.changed(name);
        break;
      case 'mtu':
        // IF_MINMTU
        if (action.mtu < 72) throw new KernelError('EINVAL');
        interfaceNamed(table, name).mtu = action.mtu;
        ipQuietly('link', 'set', name, 'mtu', String(action.mtu));
        break;
      case 'set':
      case 'alias': {
        const [first] = interfaceNamed(table, name).addresses;
        if (action.do === 'set' && first)
          ipQuietly('addr', 'del', `${first.address}/${first.prefix}`, 'dev', name);
        setAddress(table, name, { address: action.address, prefix: action.prefix }, action.do === 'alias');
        ipQuietly('addr', 'add', `${action.address}/${action.prefix}`, 'dev', name);
        break;
      }
      case 'delete': {
        const addresses = interfaceNamed(table, name).addresses;
        const own =
          action.address === undefined
            ? addresses[0]
            : addresses.find(({ address }) => address === action.address);
        if (!own) throw new KernelError('EADDRNOTAVAIL');
        removeAddress(table, name, own.address);
        ipQuietly('addr', 'del', `${own.address}/${own.prefix}`, 'dev', name);
        break;
      }
      case 'set6':
      case 'delete6':
      case 'dad':
        return inet6.apply(name, action);
    }
    await syncRoutes(true);
    tell(
      `RTM_NEWADDR: address being ${action.do === 'delete' ? 'removed from' : 'added to'} iface: len 128, metric 0, flags:<UP>`,
    );
  }

  interface Destination {
    readonly base: number;
    readonly prefix: number;
    readonly gateway?: string;
    readonly interface?: string;
    readonly host?: boolean;
  }

  const routeOp =
    (verb: 'add' | 'delete' | 'change') =>
    async ({ base, prefix, gateway, interface: name, host }: Destination): Promise<void> => {
      await kernel(() => {
        const network = (base & mask(prefix)) >>> 0;
        if (verb === 'add') {
          const each = name === undefined ? undefined : interfaceNamed(table, name);
          addRow(table, network, prefix, gateway ?? each?.name ?? '', {
            ...(name === undefined ? {} : { interface: name }),
            ...(host === undefined ? {} : { host }),
          });
        } else if (verb === 'delete') deleteRow(table, network, prefix);
        else changeRow(table, network, prefix, gateway ?? '');
      });
      await syncRoutes();
      tell(
        verb === 'delete'
          ? 'RTM_DELETE: Delete Route: len 132, pid: 1, seq 1, errno 0, flags:<GATEWAY,DONE,STATIC>'
          : 'RTM_ADD: Add Route: len 132, pid: 1, seq 1, errno 0, flags:<UP,GATEWAY,DONE,STATIC>',
      );
    };

  if (kext !== 'absent') mkdirSync(`${bundle}/Contents/MacOS`, { recursive: true });
  boot();

  const handlers: Handlers = {
    ...inet6.handlers,
    'xnu.interfaces': () => table.interfaces,
    'xnu.ifconfig': ({ name, actions }: { name: string; actions: IfconfigAction[] }) =>
      kernel(async () => {
        for (const action of actions) await apply(name, action);
      }),
    'xnu.route.table': () => table.rows,
    'xnu.route.add': routeOp('add'),
    'xnu.route.delete': routeOp('delete'),
    'xnu.route.change': routeOp('change'),
    'xnu.route.get': ({ address }: { address: string }) => {
      const row = lookup(table, number(address));
      if (!row) throw new MachineError('ESRCH');
      return row;
    },
    'xnu.route.monitor': (_payload: unknown, caller: Caller) => {
      const listener = (event: string): void => {
        caller.send(event);
      };
      listeners.add(listener);
      caller.gone.addEventListener('abort', () => listeners.delete(listener));
      return {};
    },
    'xnu.neighbours': () => neighbours('-4'),
    'xnu.inet6.neighbours': () => neighbours('-6'),
    'xnu.tap.open': openTap,
    'xnu.tunnel.open': openTunnel,
    'xnu.tunnel.take': takeNetwork,
    'xnu.tunnel.close': closeTunnel,
    'xnu.kext.state': () => ({ state: loaded ? 'loaded' : kext, bundle }),
    /** Somebody installs and allows it; macOS loads it at no boot by itself. */
    'xnu.kext.allow': () => {
      kext = 'installed';
      mkdirSync(`${bundle}/Contents/MacOS`, { recursive: true });
    },
    'xnu.kext.load': () => {
      if (kext === 'absent') throw new MachineError('ENOENT');
      if (kext === 'refused') throw new MachineError('EPERM');
      if (!loaded) nodes(true);
    },
  };
  return {
    handlers,
    network: {
      interfaces: () => table.interfaces,
      attach: (each) => {
        const made = attach(each);
        tell(`RTM_IFINFO: iface status change: len 112, if# ${made.index}, flags:<UP,BROADCAST,RUNNING>`);
        return made;
      },
      detach: (name) => {
        const index = table.interfaces.find((each) => each.name === name)?.index;
        detach(name);
        tell(`RTM_IFINFO: iface status change: len 112, if# ${index ?? 0}, flags:<BROADCAST>`);
      },
      apply,
      listen: (listener) => void listeners.add(listener),
      giveInet6: inet6.give,
      ip,
      ipQuietly,
    },
    reset: boot,
  };
}
