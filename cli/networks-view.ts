/** Docker's networks as a person sees them: with their containers, and those of a compose project together. Pure. */
import type { RouteState, Status } from '../daemon/api/messages.js';
import { areNamesFound } from './dns-names.js';

export interface ContainerView {
  readonly name: string;
  /** Its address on this network. */
  readonly address: string;
  /** Of docker compose; null: none. */
  readonly project: string | null;
  /** The name by which macOS finds that address, with its zone; null: none. */
  readonly dnsName: string | null;
}

export interface NetworkView {
  readonly name: string;
  /** The one compose project whose containers are all there are on it; null: none, or several. */
  readonly project: string | null;
  readonly subnets: readonly { readonly subnet: string; readonly state: RouteState; readonly why: string }[];
  /** What is said of a route of tuntapd's that stands, by either family. */
  readonly usualWays: readonly string[];
  readonly containers: readonly ContainerView[];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Whoever belongs to no project comes first. */
const byProject = (
  a: { project: string | null; name: string },
  b: { project: string | null; name: string },
): number => compare(a.project ?? '', b.project ?? '') || compare(a.name, b.name);

/**
 * The name to say for each address: of those it has, the one that stands for the fewest addresses, then the shortest.
 * Empty while macOS finds none of them.
 */
function namesByAddress(status: Status): ReadonlyMap<string, string> {
  const { names } = status;
  if (!names || !areNamesFound(status)) return new Map();
  // A later entry replaces an earlier one, so that the best comes last.
  const best = names.names.toSorted(
    (a, b) =>
      b.addresses.length - a.addresses.length || b.name.length - a.name.length || compare(b.name, a.name),
  );
  return new Map(
    best.flatMap(({ name, addresses }) =>
      addresses.map((address) => [address, `${name}.${names.zone}`] as const),
    ),
  );
}

function containersOn(
  network: string,
  containers: NonNullable<Status['containers']>,
  names: ReadonlyMap<string, string>,
): ContainerView[] {
  return containers
    .flatMap(({ name, project, endpoints }) =>
      endpoints
        .filter((endpoint) => endpoint.network === network)
        .map(({ address }): ContainerView => ({
          name,
          project,
          address,
          dnsName: names.get(address) ?? null,
        })),
    )
    .toSorted(byProject);
}

/** The only element of a list of equal ones; null of any other list. */
const onlyOf = <T>(list: readonly T[]): T | null => {
  const [first, ...others] = new Set(list);
  return first === undefined || others.length > 0 ? null : first;
};

/** The networks that are, or are to be, routed, projects together; and in words those that are not. */
export function networksOf(status: Status): {
  readonly routed: readonly NetworkView[];
  readonly never: readonly string[];
} {
  const { routes, containers = [], link } = status;
  const dnsNames = namesByAddress(status);
  const names = [...new Set(routes.filter(({ state }) => state !== 'refused').map(({ network }) => network))];
  const usualWays = (link ? [link, ...(link.ipv6 ? [link.ipv6] : [])] : []).map(
    ({ peer }) => `via ${peer} on ${link?.interface ?? ''}`,
  );
  const routed = names.map((name): NetworkView => {
    const here = containersOn(name, containers, dnsNames);
    const subnets = routes.filter(({ network, state }) => network === name && state !== 'refused');
    return {
      name,
      project: onlyOf(here.map(({ project }) => project)),
      subnets,
      usualWays,
      containers: here,
    };
  });
  const never = routes
    .filter(({ state }) => state === 'refused')
    .map(({ network, subnet }) => (subnet === '-' ? network : `${network} (${subnet})`))
    // The engine tells them in another order each time.
    .toSorted();
  return { routed: routed.toSorted(byProject), never };
}
