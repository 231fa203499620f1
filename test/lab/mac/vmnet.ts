/**
 * macOS's vmnet: bridges that it makes for VM apps, with the addresses that bootpd gives their guests. A NIC of the
 * Virtualization framework's NAT is a member `vmenetN` of the one bridge that all such VMs share; it is there for as
 * long as the VM's process holds it, the bridge for as long as it has a member. All of it is real in Linux: bridge, tap
 * and addresses, with dnsmasq for bootpd and the router's advertisements.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, openSync, rmSync } from 'node:fs';
import type { BridgeDetails } from '../facades/lib/bridge.js';
import type { Caller, Handlers } from './rpc.js';
import { macAddress } from './xnu/mac-address.js';
import { dotted, number } from './xnu/table.js';
import type { Network } from './xnu/xnu.js';

/** What a lab Mac's vmnet can be like; it counts from the next VM on. */
export interface VmnetOptions {
  /** The first address of the shared network, a /24: macOS has 192.168.64.0, and .65 once another app took that. */
  readonly network: string;
  /** Whether bootpd answers the guests; the application firewall may keep it from that, and then they have IPv6 alone. */
  readonly bootpd: 'answers' | 'blocked';
  /** Whether a bridge stays when its last VM has ended, until the Mac is booted anew. */
  readonly staysAfter: boolean;
}

const defaultVmnet: VmnetOptions = {
  network: '192.168.64.0',
  bootpd: 'answers',
  staysAfter: false,
};

export interface Nic {
  /** The tap that QEMU opens. */
  readonly name: string;
  readonly bridge: string;
}

interface Bridge {
  readonly name: string;
  readonly shared: boolean;
  /** The Mac's own address. */
  address: string;
  /** The /64 of its IPv6, without the colons at its end. */
  readonly prefix6: string;
  readonly members: Map<string, Caller | null>;
  bootpd: ChildProcess | null;
}

const prefix = 24;
const log = '/.lab/run/bootpd.log';

/** macOS's bridges for VMs begin with 100; a number that is taken is passed over. */
const firstFree = (stem: string, from: number, taken: readonly string[]): string => {
  let unit = from;
  while (taken.includes(`${stem}${unit}`)) unit += 1;
  return `${stem}${unit}`;
};

export function createVmnet(
  network: Network,
  initial: Partial<VmnetOptions> = {},
): { handlers: Handlers; reset: () => void } {
  let options = { ...defaultVmnet, ...initial };
  const bridges: Bridge[] = [];
  const { ip } = network;

  const names = (): string[] => network.interfaces().map(({ name }) => name);

  /** One lease file for the life of the Mac, so that a guest with a MAC of its own gets the address after the last. */
  function startBootpd(bridge: Bridge): void {
    bridge.bootpd?.kill('SIGKILL');
    const base = number(bridge.address) - 1;
    const range = `${dotted(base + 2)},${dotted(base + 254)},255.255.255.0,24h`;
    const ipv4 = [`--dhcp-range=${range}`, '--dhcp-sequential-ip', '--dhcp-authoritative', '--no-ping'];
    const dnsmasq = [
      ...['/.lab/bin/dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file', '--port=0'],
      ...['--user=root', '--group=wheel', '--log-dhcp', '--log-facility=-'],
      ...[`--interface=${bridge.name}`, '--bind-dynamic'],
      ...[`--dhcp-leasefile=/.lab/run/${bridge.address}.leases`],
      ...['--enable-ra', `--dhcp-range=${bridge.prefix6}::,ra-only`],
      ...(options.bootpd === 'answers' ? ipv4 : []),
    ];
    const output = openSync(log, 'a');
    bridge.bootpd = spawn('/.lab/bin/setpriv', ['--pdeathsig', 'KILL', ...dnsmasq], {
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    bridge.bootpd.on('error', (error) => {
      appendFileSync(log, `${String(error)}\n`);
    });
  }

  async function open(address: string, shared: boolean): Promise<Bridge> {
    const name = firstFree('bridge', 100, names());
    const mac = macAddress();
    const bridge: Bridge = {
      name,
      shared,
      address,
      prefix6: `fd${randomBytes(7).toString('hex')}`.replace(/(....)(?=.)/g, '$1:'),
      members: new Map(),
      bootpd: null,
    };
    ip('link', 'add', name, 'address', mac, 'type', 'bridge', 'mcast_snooping', '0');
    network.attach({ name, kind: 'bridge', mac, mtu: 1500, up: true, addresses: [], holder: null });
    network.giveInet6(name, `${bridge.prefix6}::1`, 64, ['autoconf', 'secured']);
    bridges.push(bridge);
    await network.apply(name, { do: 'up' });
    await network.apply(name, { do: 'set', address, prefix });
    if (shared) startBootpd(bridge);
    return bridge;
  }

  function close(bridge: Bridge): void {
    bridge.bootpd?.kill('SIGKILL');
    bridges.splice(bridges.indexOf(bridge), 1);
    network.detach(bridge.name);
  }

  function makeNic(uid: number): string {
    const name = firstFree('vmenet', 0, names());
    const mac = macAddress();
    ip('tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', String(uid));
    ip('link', 'set', name, 'address', mac, 'up');
    network.attach({ name, kind: 'vmenet', mac, mtu: 1500, up: true, addresses: [], holder: null });
    return name;
  }

  function join(bridge: Bridge, name: string, caller: Caller | null): Nic {
    ip('link', 'set', name, 'master', bridge.name);
    bridge.members.set(name, caller);
    return { name, bridge: bridge.name };
  }

  function leave(bridge: Bridge, name: string): void {
    // Another life of the Mac's by now.
    if (!bridges.includes(bridge)) return;
    bridge.members.delete(name);
    network.detach(name);
    if (bridge.members.size === 0 && !options.staysAfter) close(bridge);
  }

  const firstOf = (base: string): string => dotted(number(base) + 1);
  const shared = (): Bridge | undefined => bridges.findLast((bridge) => bridge.shared);

  /** One after the other, since each takes the names that are free. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const handlers: Handlers = {
    /** A VM's NIC, held by its process; told `link` when its link went down and came up again. */
    'vmnet.attach': ({ uid }: { uid: number }, caller: Caller) =>
      inTurn(async () => {
        const name = makeNic(uid);
        const left = shared();
        const bridge =
          left && (left.members.size > 0 || left.address === firstOf(options.network))
            ? left
            : await open(firstOf(options.network), true);
        const nic = join(bridge, name, caller);
        const end = (): void => {
          leave(bridge, name);
        };
        if (caller.gone.aborted) end();
        else caller.gone.addEventListener('abort', end);
        return nic;
      }),
    /** Another VM app's bridge with a member, held until `vmnet.other-ends`. */
    'vmnet.other': ({ network: base }: { network: string }) =>
      inTurn(async () => {
        const name = makeNic(0);
        return join(await open(firstOf(base), false), name, null);
      }),
    /** Internet Sharing has a bridge of its own to another card, until `vmnet.other-ends`. */
    'vmnet.internet-sharing': () =>
      inTurn(async () => {
        const name = firstFree('en', 5, names());
        const mac = macAddress();
        ip('tuntap', 'add', 'dev', name, 'mode', 'tap');
        ip('link', 'set', name, 'address', mac, 'up');
        network.attach({ name, kind: 'ethernet', mac, mtu: 1500, up: true, addresses: [], holder: null });
        return join(await open('192.168.2.1', false), name, null);
      }),
    'vmnet.other-ends': () => {
      for (const bridge of bridges.filter((one) => !one.shared)) {
        for (const name of bridge.members.keys()) network.detach(name);
        close(bridge);
      }
    },
    /** For VMs that come later. That bootpd answers, or is blocked, is so at once. */
    'vmnet.set': (changed: Partial<VmnetOptions>) => {
      options = { ...options, ...changed };
      if (changed.bootpd !== undefined) for (const bridge of bridges) if (bridge.shared) startBootpd(bridge);
    },
    /** macOS gives the shared network other addresses while VMs run. */
    'vmnet.renumber': ({ network: base }: { network: string }) =>
      inTurn(async () => {
        options = { ...options, network: base };
        const bridge = shared();
        if (!bridge) return;
        bridge.address = firstOf(base);
        await network.apply(bridge.name, { do: 'set', address: bridge.address, prefix });
        startBootpd(bridge);
        for (const caller of bridge.members.values()) caller?.send('link');
      }),
    'vmnet.bridge': ({ name }: { name: string }): BridgeDetails => {
      const members = bridges.find((bridge) => bridge.name === name)?.members;
      return {
        members: network.interfaces().filter((each) => members?.has(each.name) === true),
      };
    },
  };

  return {
    handlers,
    reset: () => {
      for (const bridge of [...bridges]) {
        for (const name of bridge.members.keys()) network.detach(name);
        close(bridge);
      }
      rmSync(log, { force: true });
    },
  };
}
