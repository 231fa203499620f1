import { configSchema, type Config } from '../../../config/schema.js';
import {
  seen,
  unknown,
  type Bundle,
  type Bundles,
  type DockerNetwork,
  type HyperkitFile,
  type Observation,
  type Route,
  type TapInterface,
  type TapObservation,
} from '../../../daemon/core/observation.js';
import { parseAddress, parsePrefix, type Prefix } from '../../../daemon/lib/prefix.js';
import { resolverText } from '../../../daemon/lib/resolver-text.js';
import { noLinkMemory } from '../../../daemon/core/link/yield.js';
import { type Memory, noWay } from '../../../daemon/core/memory.js';
import { noRestart } from '../../../daemon/core/docker/restart-memory.js';
import { isAboutIpv6, type Step } from '../../../daemon/core/steps.js';
import {
  addRow,
  deleteRow,
  dotted,
  interfaceNamed,
  KernelError,
  number,
  removeAddress,
  type Row,
  setAddress,
  setUp,
  type Table,
} from '../../lab/mac/xnu/table.js';
import { net, route } from './rows.js';
import { applied6, reportOf6 } from './worlds6.js';

export { net, route };

export const config: Config = configSchema.parse({});

export const up: Memory = {
  wanted: 'up',
  lowered: false,
  guest: null,
  released: null,
  mayBeSetUp: null,
  ownedRoutes: [],
  heldRoutes: [],
  launched: [],
  apps: [],
  restart: noRestart,
  toldBlocked: [],
  lastLink: null,
  link: noLinkMemory,
  ipv6: { ...noWay, isNeeded: false },
  nics: null,
};

/** The only hyperkit that this Docker ever had. */
const sha256 = 'd0'.repeat(32);

const file = (kind: HyperkitFile['kind']): HyperkitFile => ({
  kind,
  detail: '',
  sha256: kind === 'mach-o' ? sha256 : null,
  size: 1000,
  mtime: 0,
});

export const hyperkit = '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit';

export const bundle = (target: HyperkitFile['kind'], original: HyperkitFile['kind']): Bundle => ({
  app: '/Applications/Docker.app',
  hyperkit,
  version: '4.1.1',
  ownerUid: 501,
  identity: '1:42',
  arrived: 0,
  target: file(target),
  original: file(original),
  saved: original === 'mach-o' ? { sha256, size: 1000, version: '4.1.1' } : null,
  leftovers: false,
});

/** What is seen of the disk when nothing but these bundles is there, or as `more` says. */
export const bundlesOf = (withHyperkit: readonly Bundle[], more: Partial<Bundles> = {}): Bundles => ({
  withHyperkit,
  without: [],
  refused: [],
  outOfReach: [],
  replacing: [],
  ...more,
});

/** Subnets as an engine tells them. */
export const subnetsOf = (...texts: readonly string[]): DockerNetwork['subnets'] =>
  texts.map((text) => {
    const prefix = parsePrefix(text);
    return { text: prefix?.text ?? text, prefix };
  });

/** Routes over the tap that the journal has. */
export const ownedRoutes = (...subnets: readonly string[]): Memory['ownedRoutes'] =>
  subnets.map((subnet) => ({ subnet, gateway: '10.0.75.2', interface: 'tap1' }));

export const withTap = (observation: Observation, tap: Partial<TapObservation>): Observation => ({
  ...observation,
  tap: { ...observation.tap, ...tap },
});

export const network = (name: string, ...subnets: string[]): DockerNetwork => ({
  id: name,
  name,
  driver: 'bridge',
  scope: 'local',
  internal: false,
  labels: {},
  options: {},
  subnets: subnetsOf(...subnets),
});

export const lan: readonly Route[] = [
  route({ destination: '0.0.0.0/0', gateway: '192.168.1.1', flags: 'UGSc', interface: 'en0' }),
  route({ destination: '127.0.0.0/8', gateway: '127.0.0.1', flags: 'UCS', interface: 'lo0' }),
  route({ destination: '192.168.1.0/24', gateway: 'link#4', flags: 'UCS', interface: 'en0' }),
];

/** Resolvers as scutil tells them; those of the other family are left out. */
export const resolversAt = (...servers: readonly string[]): readonly Prefix[] =>
  servers.map(parseAddress).filter((server) => server !== null);

/** What is seen of names where macOS asks their server. */
export const answeringNames: Observation['names'] = {
  server: { state: 'serving', port: 299 },
  folder: seen({ exists: true, distrust: null, ours: { docker: resolverText(299) }, foreign: null }),
  taken: seen({ isOffline: true }),
};

/** A Mac on which somebody is logged in, the shim is in place and Docker is not open. */
export const quietMac: Observation = {
  at: 0,
  macos: seen({ major: 12, minor: 7 }),
  docker: seen([]),
  userContainer: null,
  configuration: { problem: null, inForce: true },
  consoleUser: seen({ name: 'person', uid: 501, gid: 20, home: '/Users/person' }),
  tap: {
    device: seen({ path: '/dev/tap1', uid: 501, gid: 0, mode: 0o660 }),
    kext: seen({ state: 'loaded', bundles: ['/Library/Extensions/tap.kext'] }),
    interface: seen(null),
  },
  vmnet: { bridges: seen([]) },
  routes: seen(lan),
  resolvers: seen(resolversAt('192.168.1.1', '9.9.9.9')),
  bundles: seen(bundlesOf([bundle('shim', 'mach-o')])),
  vm: seen(null),
  otherVms: [],
  engine: seen(null),
  dataPath: { session: null, state: 'unchecked', detail: 'not checked yet', generation: 0 },
  names: {
    server: { state: 'off' },
    folder: seen({ exists: false, distrust: null, ours: {}, foreign: null }),
    taken: unknown('there is no resolver file'),
  },
};

/** The interface of a VM that has just opened the device. */
export const newTap: TapInterface = { name: 'tap1', up: false, mtu: 1500, addresses: [], holder: 900 };

/** The same Mac just after the VM started, with these Docker networks. */
export const startedMac = (
  networks: readonly DockerNetwork[],
  routes: readonly Route[] = lan,
): Observation => ({
  ...quietMac,
  routes: seen(routes),
  vm: seen({
    id: '900@then',
    pid: 900,
    uid: 501,
    startedAt: 'then',
    startedWithTap: true,
    tapIsForeign: false,
    executable: null,
  }),
  tap: { ...quietMac.tap, interface: seen(newTap) },
  engine: seen({
    session: '900@then#1',
    vm: '900@then',
    version: '28.5.2',
    networks,
    containers: seen([]),
    listed: 1,
  }),
});

export interface World {
  readonly observation: Observation;
  readonly memory: Memory;
}

const withBundle = (observation: Observation, next: Bundle): Observation => ({
  ...observation,
  bundles: seen(bundlesOf([next])),
});

const known = <T>(value: { known: true; value: T } | { known: false }): T => {
  if (!value.known) throw new Error('this world cannot be changed: it is not known');
  return value.value;
};

export const connected = ({ address, prefix }: { address: string; prefix: number }): Route =>
  route({ destination: `${address}/${prefix}`, gateway: 'link#14', flags: 'UC', interface: 'tap1' });

/** The number that the kernel gave the tap: `link#14`. */
const tapIndex = 14;

const partsOf = ({ text }: Prefix): { base: number; prefix: number } => {
  const [address = '', length] = text.split('/');
  return { base: number(address), prefix: Number(length) };
};

/**
 * The kernel's table of what is seen, in the lab's model of XNU, changed by `change`; and what is seen then. A row that
 * it leaves alone is the very route that was seen.
 */
function inKernel(observation: Observation, change: (kernel: Table) => void): Observation {
  const seenAs = new Map<Row, Route>();
  const tap = known(observation.tap.interface);
  const kernel: Table = {
    interfaces: tap ? [{ ...tap, index: tapIndex, kind: 'tap', mac: '', addresses: [...tap.addresses] }] : [],
    rows: known(observation.routes).map((each) => {
      const { gateway, flags, interface: name } = each;
      const row: Row = {
        ...partsOf(each.destination),
        gateway,
        interface: name,
        isStatic: flags.includes('S'),
        isHost: flags.includes('H'),
        // Cloned rows (W) too are in nobody's way.
        isScoped: /[IW]/.test(flags),
      };
      seenAs.set(row, each);
      return row;
    }),
  };
  change(kernel);
  const rows = kernel.rows.map(
    (row) =>
      seenAs.get(row) ??
      route({
        destination: `${dotted(row.base)}/${row.prefix}`,
        gateway: row.gateway,
        flags: row.isStatic ? 'UGSc' : 'UC',
        interface: row.interface,
      }),
  );
  const [now] = kernel.interfaces;
  return {
    ...observation,
    routes: seen(rows),
    tap: {
      ...observation.tap,
      interface: seen(tap && now ? { ...tap, up: now.up, mtu: now.mtu, addresses: now.addresses } : tap),
    },
  };
}

/** All of an interface's addresses go, as ifconfig takes them away. */
const removeAddresses = (kernel: Table, name: string): void => {
  for (const { address } of interfaceNamed(kernel, name).addresses) removeAddress(kernel, name, address);
};

/** What a step does to the world when it succeeds: the model that plan's properties are held against. */
export function applied(world: World, step: Step): World {
  if (isAboutIpv6(step)) return applied6(world, step);
  const { observation, memory } = world;
  switch (step.kind) {
    case 'load-kext':
      return {
        memory,
        observation: withTap(observation, {
          kext: seen({ state: 'loaded', bundles: [step.bundle] }),
          device: seen({ path: '/dev/tap1', uid: 0, gid: 0, mode: 0o660 }),
        }),
      };
    case 'own-tap-device':
      return {
        memory,
        observation: withTap(observation, {
          device: seen({ path: step.path, uid: step.uid, gid: 0, mode: 0o660 }),
        }),
      };
    case 'install-shim':
      return { memory, observation: withBundle(observation, bundle('shim', 'mach-o')) };
    case 'restore-hyperkit':
      return { memory, observation: withBundle(observation, bundle('mach-o', 'missing')) };
    case 'address-tap':
      return {
        memory: { ...memory, link: { ...memory.link, attempts: memory.link.attempts + 1 } },
        observation: inKernel(observation, (kernel) => {
          const tap = known(observation.tap.interface);
          if (!tap) throw new Error('no tap to give an address to');
          removeAddresses(kernel, tap.name);
          setAddress(kernel, tap.name, { address: step.macAddress, prefix: step.prefix }, false);
          setUp(kernel, tap.name, true);
          interfaceNamed(kernel, tap.name).mtu = step.mtu;
        }),
      };
    case 'unaddress-tap':
      return {
        memory,
        observation: inKernel(observation, (kernel) => {
          const tap = known(observation.tap.interface);
          if (!tap) throw new Error('no tap to take an address from');
          removeAddresses(kernel, tap.name);
        }),
      };
    case 'find-nic':
      throw new Error('a VM of HyperKit’s is on no bridge of the Mac');
    case 'prepare-guest': {
      const beside = step.ipv6 && { ...memory.ipv6, released: null, guest: reportOf6(step, step.ipv6) };
      return {
        observation,
        memory: {
          ...memory,
          ...(beside ? { ipv6: beside } : {}),
          released: null,
          guest: {
            session: step.session,
            interface: 'eth1',
            rules: [],
            ...(step.isGiven === true ? { source: step.macAddress } : {}),
            observedGeneration: step.generation,
          },
        },
      };
    }
    case 'quit-docker': {
      const { vm, bundle: identity, app, user, gui } = step;
      const attempts = [...memory.restart.attempts, { vm: vm.id, bundle: identity, failed: null }];
      const reopen = { app, uid: user.uid, gui: gui.pid, at: observation.at };
      return {
        memory: { ...memory, restart: { ...memory.restart, attempts, reopen } },
        observation: { ...observation, vm: seen(null), docker: seen([]), engine: seen(null) },
      };
    }
    case 'open-docker':
      return { observation, memory: { ...memory, restart: { ...memory.restart, reopen: null } } };
    case 'tell-user':
      return { observation, memory: { ...memory, restart: { ...memory.restart, told: step.vm } } };
    case 'write-resolver':
    case 'remove-resolver': {
      const folder = known(observation.names.folder);
      const { [step.zone]: before, ...rest } = folder.ours;
      if (step.kind === 'remove-resolver' && before === undefined)
        throw new Error(`${step.zone} is not ours`);
      if (step.kind === 'write-resolver' && (folder.foreign ?? folder.distrust) !== null)
        throw new Error(`${step.zone} is somebody else’s`);
      const ours = step.kind === 'write-resolver' ? { ...rest, [step.zone]: step.text } : rest;
      return {
        memory,
        observation: {
          ...observation,
          names: { ...observation.names, folder: seen({ ...folder, exists: true, ours }) },
        },
      };
    }
    case 'release-guest':
      return { observation, memory: { ...memory, guest: null, released: step.session, mayBeSetUp: null } };
    case 'add-route':
      return {
        memory: {
          ...memory,
          ownedRoutes: [
            ...memory.ownedRoutes,
            { subnet: step.subnet, gateway: step.gateway, interface: step.interface },
          ],
        },
        observation: inKernel(observation, (kernel) => {
          const { base, prefix } = partsOf(net(step.subnet));
          addRow(kernel, base, prefix, step.gateway);
        }),
      };
    case 'delete-route':
      return {
        memory: { ...memory, ownedRoutes: memory.ownedRoutes.filter(({ subnet }) => subnet !== step.subnet) },
        observation: inKernel(observation, (kernel) => {
          const { base, prefix } = partsOf(net(step.subnet));
          try {
            deleteRow(kernel, base, prefix);
          } catch (error) {
            // What is gone is deleted.
            if (!(error instanceof KernelError && error.code === 'ESRCH')) throw error;
          }
        }),
      };
  }
}
