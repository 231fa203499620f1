/** What is seen of a Mac by IPv6, and what steps do to it: XNU's rules where they differ from those of IPv4. */
import type { Config } from '../../../config/schema.js';
import { needsIpv6 } from '../../../daemon/core/ipv6-need.js';
import type { Memory } from '../../../daemon/core/memory.js';
import {
  type GuestReport,
  type Ipv6Address,
  type Observation,
  type Route,
  seen,
  type TapInterface,
  valueOf,
} from '../../../daemon/core/observation.js';
import { isRowOf } from '../../../daemon/core/routes/table.js';
import type { PrepareGuest, Step, VmEnd } from '../../../daemon/core/steps.js';
import { contains, isIpv6, parseAddress } from '../../../daemon/lib/prefix.js';
import { net, route } from './rows.js';
import type { World } from './worlds.js';

/** The rows that most Macs have: Apple's own tunnels, and whatever is link-local. */
export const lan6: readonly Route[] = [
  route({ destination: '::/0', gateway: 'fe80::%utun0', flags: 'UGcIg', interface: 'utun0' }),
  route({ destination: '::1/128', gateway: '::1', flags: 'UHL', interface: 'lo0' }),
  route({ destination: 'fe80::/64', gateway: 'link#4', flags: 'UCI', interface: 'en0' }),
  route({ destination: 'ff00::/8', gateway: 'link#4', flags: 'UmCI', interface: 'en0' }),
];

export const tableOf6 = ({ ipv6 }: Observation): readonly Route[] =>
  ipv6?.routes.known === true ? ipv6.routes.value : [];

export const with6 = (observation: Observation, table: readonly Route[]): Observation => ({
  ...observation,
  ipv6: { routes: seen(table) },
});

function without<T extends { ipv6?: unknown }>(whole: T): Omit<T, 'ipv6'> {
  const rest = { ...whole };
  delete rest.ipv6;
  return rest;
}

/** The same as the daemon looks at it: the table of IPv6 only where somebody needs it (runtime/observe.ts). */
export function looked(config: Config, observation: Observation, memory: Memory): Observation {
  const isNeeded =
    memory.ownedRoutes.some(({ subnet }) => isIpv6(subnet)) || needsIpv6(config, observation.engine, memory);
  return isNeeded ? observation : without(observation);
}

const withAddresses = (observation: Observation, addresses: readonly Ipv6Address[]): Observation => {
  const tap = valueOf(observation.tap.interface);
  if (!tap) throw new Error('no tap to give an address to');
  const next: TapInterface = { ...without(tap), ...(addresses.length === 0 ? {} : { ipv6: addresses }) };
  return { ...observation, tap: { ...observation.tap, interface: seen(next) } };
};

/** Two seconds later: nobody else has the addresses, and rows of those that are gone are gone as well. */
export function later(observation: Observation): Observation {
  const tap = valueOf(observation.tap.interface);
  const addresses = tap?.ipv6 ?? [];
  const usable = addresses.map((own) =>
    own.state === 'tentative' ? { ...own, state: 'usable' as const } : own,
  );
  const next = tap && addresses.length > 0 ? withAddresses(observation, usable) : observation;
  const isLeft = ({ interface: name, gateway, destination }: Route): boolean =>
    name !== 'tap1' ||
    !gateway.startsWith('link#') ||
    addresses.some(({ address }) => {
      const own = parseAddress(address);
      return own !== null && contains(destination, own);
    });
  return next.ipv6 ? with6(next, tableOf6(next).filter(isLeft)) : next;
}

/** in6_ifaddr of XNU: the address is there at once, asked for where the interface is up, and its prefix has a row. */
function address({ observation, memory }: World, step: Extract<Step, { kind: 'address-tap' }>): World {
  const tap = valueOf(observation.tap.interface);
  const before = tap?.ipv6 ?? [];
  if (before.some((own) => own.address === step.macAddress && own.prefix === step.prefix && !step.anew))
    return { observation, memory };
  const own: Ipv6Address = {
    address: step.macAddress,
    prefix: step.prefix,
    state: tap?.up === true ? 'tentative' : 'usable',
  };
  const next = withAddresses(observation, [
    ...before.filter((each) => each.address !== step.macAddress),
    own,
  ]);
  const network = net(`${step.macAddress}/${step.prefix}`);
  const row = route({ destination: network.text, gateway: 'link#14', flags: 'UC', interface: 'tap1' });
  const table = tableOf6(next);
  const rows = table.some((each) => isRowOf(network.text, each)) ? table : [...table, row];
  const { link } = memory.ipv6;
  return {
    observation: with6(next, rows),
    memory: { ...memory, ipv6: { ...memory.ipv6, link: { ...link, attempts: link.attempts + 1 } } },
  };
}

/** What is reported of an end that was set up by IPv6. */
export const reportOf6 = ({ session }: PrepareGuest, { generation }: VmEnd): GuestReport => ({
  session,
  interface: 'eth1',
  rules: [],
  observedGeneration: generation,
});

/** What a step about IPv6 does when it succeeds. */
export function applied6(world: World, step: Step): World {
  const { observation, memory } = world;
  const table = tableOf6(observation);
  switch (step.kind) {
    case 'address-tap':
      return address(world, step);
    case 'unaddress-tap': {
      const rest = (valueOf(observation.tap.interface)?.ipv6 ?? []).filter(
        (own) => own.address !== step.macAddress,
      );
      return { memory, observation: withAddresses(observation, rest) };
    }
    case 'add-route': {
      const { subnet, gateway, interface: name } = step;
      if (table.some((row) => isRowOf(subnet, row))) throw new Error(`${subnet}: File exists`);
      const target = parseAddress(gateway);
      const isOnLink = table.some(
        (row) =>
          row.interface === name &&
          row.gateway.startsWith('link#') &&
          target &&
          contains(row.destination, target),
      );
      const row = route({ destination: subnet, gateway, flags: 'UGSc', interface: isOnLink ? name : 'en0' });
      return {
        observation: with6(observation, [...table, row]),
        memory: {
          ...memory,
          ownedRoutes: [...memory.ownedRoutes, { subnet, gateway, interface: name }],
        },
      };
    }
    case 'delete-route':
      return {
        observation: with6(
          observation,
          table.filter((row) => !isRowOf(step.subnet, row)),
        ),
        memory: { ...memory, ownedRoutes: memory.ownedRoutes.filter(({ subnet }) => subnet !== step.subnet) },
      };
    case 'prepare-guest': {
      const guest = reportOf6(step, step);
      return { observation, memory: { ...memory, ipv6: { ...memory.ipv6, guest, released: null } } };
    }
    case 'release-guest': {
      const ipv6 = { ...memory.ipv6, guest: null, released: step.session, mayBeSetUp: null };
      return { observation, memory: { ...memory, ipv6 } };
    }
    case 'find-nic':
    case 'install-shim':
    case 'load-kext':
    case 'open-docker':
    case 'own-tap-device':
    case 'quit-docker':
    case 'remove-resolver':
    case 'restore-hyperkit':
    case 'tell-user':
    case 'write-resolver':
      throw new Error(`${step.kind} is not about IPv6`);
  }
}
