/** What `tuntapctl status` is told: a view of what was seen and judged. Pure. */
import { version } from '../../config/version.js';
import type { Finding, Phase } from './condition.js';
import {
  type Condition,
  type Names,
  type RunningContainer,
  type Status,
  statusFormat,
} from '../api/messages.js';
import { isAddressIn, isIpv6, prefixesIn } from '../lib/prefix.js';
import type { Link, LinkState } from './link/link.js';
import type { NamesVerdict } from './names/names.js';
import type { Container, DataPath, Observation } from './observation.js';
import type { RouteVerdict } from './routes/verdicts.js';
import { plain } from '../lib/text.js';

/** Findings with the moment since when each is what it is: `now`, unless it was so before. */
export const datedConditions = (
  findings: readonly Finding[],
  before: readonly Condition[],
  now: string,
): readonly Condition[] =>
  findings.map((finding) => {
    const known = before.find(({ type }) => type === finding.type);
    const same = known?.status === finding.status && known.reason === finding.reason;
    return { ...finding, since: same ? known.since : now };
  });

/** Bytes of JSON that all routes may take, and characters of each message; thousands of networks fit. */
const maxRoutes = 320 * 1024;
const maxMessage = 4000;

/** As many as fit, in their order; the last one is about the rest. A user's engine names them, and may name any number. */
function fitting(routes: readonly RouteVerdict[]): readonly RouteVerdict[] {
  let bytes = 0;
  const cut = routes.findIndex((route) => (bytes += Buffer.byteLength(JSON.stringify(route))) > maxRoutes);
  if (cut < 0) return routes;
  const why = `and ${routes.length - cut} more, which are not listed here`;
  return [...routes.slice(0, cut), { subnet: '-', network: '…', state: 'refused', why }];
}

const ipv6Of = (
  { macAddress, vmAddress, network }: Link,
  state: LinkState['kind'],
): NonNullable<NonNullable<Status['link']>['ipv6']> => ({
  address: macAddress,
  peer: vmAddress,
  network: network.text,
  state,
});

/** The link; null: there is none, undefined: its addresses are not known. */
function linkOf(
  { kind, link }: LinkState,
  told: string | null,
  { state, roundTrip }: DataPath,
  link6: LinkState | null,
): Status['link'] {
  if (!link) return kind === 'absent' ? null : undefined;
  const { maker, interface: name, macAddress, vmAddress, network, mtu } = link;
  return {
    maker,
    ...(told === null ? {} : { told }),
    interface: name,
    address: macAddress,
    peer: vmAddress,
    network: network.text,
    mtu,
    state: kind,
    ...(state === 'alive' && roundTrip !== undefined ? { roundTrip } : {}),
    ...(link6?.link ? { ipv6: ipv6Of(link6.link, link6.kind) } : {}),
  };
}

/** Bytes of JSON that all containers may take; hundreds fit. */
const maxContainers = 256 * 1024;

/** A label of docker compose's, where it has one. */
const composed = ({ labels }: Container, key: 'project' | 'service'): string | null => {
  const value = labels[`com.docker.compose.${key}`];
  return value === undefined ? null : plain(value, 100);
};

/**
 * As many as fit, and how many do not. Whoever shares another's network, or has none, has no addresses; of IPv6 those that
 * are reached are told.
 */
function toldContainers(
  containers: readonly Container[],
  routes: readonly RouteVerdict[],
): Required<Pick<Status, 'containers'>> & Pick<Status, 'moreContainers'> {
  let bytes = 0;
  const reached = prefixesIn(
    routes.filter(({ state, subnet }) => state === 'routed' && isIpv6(subnet)).map(({ subnet }) => subnet),
  );
  const told = containers
    .map((container): RunningContainer => ({
      id: container.id,
      name: container.name,
      project: composed(container, 'project'),
      service: composed(container, 'service'),
      endpoints: container.endpoints.flatMap(({ network, ipv4, ipv6 }) =>
        [ipv4, ipv6 !== null && isAddressIn(reached, ipv6) ? ipv6 : null]
          .filter((address) => address !== null)
          .map((address) => ({ network: plain(network, 80), address })),
      ),
      ports: container.ports.flatMap(({ port, protocol }) => (protocol === 'tcp' ? [port] : [])),
    }))
    .filter((one) => (bytes += Buffer.byteLength(JSON.stringify(one))) <= maxContainers);
  const moreContainers = containers.length - told.length;
  return { containers: told, ...(moreContainers === 0 ? {} : { moreContainers }) };
}

/** Bytes of JSON that all names, and what stands against any, may take. */
const maxNames = 192 * 1024;

/** As many names as fit, in their order, and how many do not. Null while there are to be none. */
function toldNames(verdict: NamesVerdict): Names | null {
  if (verdict.state !== 'known') return null;
  const { zone, names, problems } = verdict.zone;
  let bytes = Buffer.byteLength(JSON.stringify(problems));
  const cut = names.findIndex((name) => (bytes += Buffer.byteLength(JSON.stringify(name))) > maxNames);
  const told = cut < 0 ? names : names.slice(0, cut);
  return { zone, names: told, more: names.length - told.length, problems };
}

/** Less than 1 MiB, whatever others say in it. Whoever be asked is left out, rather than said to be absent. */
export function statusOf(parts: {
  pid: number;
  since: string;
  phase: Phase;
  conditions: readonly Condition[];
  routes: readonly RouteVerdict[];
  names: NamesVerdict;
  observation: Observation;
  link: LinkState;
  /** The same by IPv6; left out or null: nobody needs it. */
  link6?: LinkState | null;
  /** What the link is, for people; left out or null: there is none. */
  told?: string | null;
}): Status {
  const { observation, link: state, link6 = null, told = null, ...judged } = parts;
  const { vm, engine, bundles } = observation;
  const link = linkOf(state, told, observation.dataPath, link6);
  return {
    format: statusFormat,
    version,
    ...judged,
    conditions: judged.conditions.map((condition) =>
      condition.message.length > maxMessage
        ? { ...condition, message: plain(condition.message, maxMessage) }
        : condition,
    ),
    routes: fitting(judged.routes),
    names: toldNames(judged.names),
    ...(vm.known ? { vm: vm.value } : {}),
    ...(engine.known
      ? {
          engine: engine.value && {
            version: engine.value.version,
            networks: engine.value.networks.length,
          },
        }
      : {}),
    ...(bundles.known
      ? {
          bundles: bundles.value.withHyperkit.map(
            ({ app, hyperkit, version: release, target, original, saved }) => ({
              app,
              hyperkit,
              version: release,
              target: target.kind,
              original: original.kind,
              saved,
            }),
          ),
          withoutHyperkit: bundles.value.without.map(({ app }) => app),
        }
      : {}),
    ...(link === undefined ? {} : { link }),
    ...(engine.known && engine.value?.containers.known
      ? toldContainers(engine.value.containers.value, parts.routes)
      : {}),
  };
}
