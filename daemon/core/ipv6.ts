/** What is told of the way by IPv6: whether the IPv6 subnets of Docker's networks are reached, or why IPv4 alone is. Pure. */
import type { ReasonOf } from '../api/reasons/registry.js';
import { isAddressIn, isIpv6, prefixesIn } from '../lib/prefix.js';
import { plain } from '../lib/text.js';
import { failed, type Judge, no, unclear, type Verdict, yes } from './condition.js';
import { isPrepared } from './guest.js';
import { needsIpv6 } from './ipv6-need.js';
import type { FamilyJudgement } from './judgement.js';
import { takenRow, toldTaken } from './link/taken.js';
import { type Engine, valueOf } from './observation.js';
import { toldSubnets, unsettledRoutes } from './routes/routes.js';
import type { RouteVerdict } from './routes/verdicts.js';

/** Why the link is none by IPv6, or not yet; null: it is one. */
function linkTrouble(judgement: FamilyJudgement) {
  const { observation, memory, link, collision } = judgement;
  const taken = takenRow(judgement);
  if (taken) return no('LinkTaken', toldTaken(taken, valueOf(observation.routes) ?? []));
  if (collision !== null) return no('LinkCollision', collision);
  const { held } = memory.link;
  switch (link.kind) {
    case 'unknown':
      return unclear(link.why);
    case 'absent':
      return no('NoLink', 'there is no link, by IPv6 neither');
    case 'up':
      return null;
    case 'present': {
      if (held?.state === 'yielded')
        return no(
          'LinkYielded',
          `something on this Mac, most often a VPN, took ${link.link.network.text} away ${held.losses} times in a row. It comes ` +
            'back when the routing table has settled, or with `tuntapctl up`',
        );
      if (link.lacks === 'uniqueness') return no(link.isAsked ? 'NotSet' : 'AddressUnusable', link.why);
      const { interface: name, macAddress, network } = link.link;
      return no(
        'NotSet',
        `${name} has no ${macAddress}/${network.bits.length} yet, or the table no row of it`,
      );
    }
  }
}

/**
 * Containers that may have no IPv6 way back: up to Engine 27 one network of a container's is its way out, chosen by its
 * IPv4, and where that network has no IPv6 the container has no default route by it (libnetwork, `getGatewayEndpoint`).
 */
export function withoutWayBack(
  { version, containers }: Engine,
  routed: readonly RouteVerdict[],
): readonly string[] {
  if (!(Number.parseInt(version, 10) < 28) || !containers.known) return [];
  const subnets = prefixesIn(routed.map(({ subnet }) => subnet));
  const isReached = (text: string | null): boolean => text !== null && isAddressIn(subnets, text);
  return containers.value
    .filter(
      ({ endpoints }) =>
        endpoints.some(({ ipv6 }) => isReached(ipv6)) &&
        endpoints.some((endpoint) => endpoint.ipv6 === null && endpoint.ipv4 !== null),
    )
    .map(({ name }) => plain(name, 80));
}

/** What stands, and who of it may not answer. */
function settled(judgement: FamilyJudgement, routed: readonly RouteVerdict[]): Verdict<'Set' | 'NoWayBack'> {
  const engine = valueOf(judgement.observation.engine);
  const silent = engine ? withoutWayBack(engine, routed) : [];
  if (silent.length === 0) return yes('Set', toldSubnets(routed));
  const some = silent.slice(0, 5).join(', ');
  const more = silent.length > 5 ? ` and ${silent.length - 5} more` : '';
  return yes(
    'NoWayBack',
    `${toldSubnets(routed)}; but ${some}${more} may not answer by IPv6: up to Docker Engine 27 a container that is also on a ` +
      'network without IPv6 may have no IPv6 route out',
  );
}

export const ipv6: Judge<'Ipv6'> = (judgement, failures): Verdict<ReasonOf<'Ipv6'>> => {
  const { config, observation, memory, ipv6: found } = judgement;
  const failure = failed('Ipv6', failures);
  if (!config.ipv6.manage)
    return failure ?? yes('NotManaged', 'ipv6.manage is false: containers are reached by IPv4 alone');
  if (!observation.engine.known) return unclear('Docker’s networks are not known now');
  const engine = observation.engine.value;
  if (!engine || !needsIpv6(config, observation.engine, memory))
    return failure ?? yes('NotNeeded', 'no network of Docker’s that could be routed has IPv6');
  if (!found && !observation.ipv6) return unclear('it is looked at in a moment');
  if (!found || (judgement.link.kind === 'up' && found.link.kind === 'absent'))
    return no(
      'NotByThisLink',
      'IPv4 only: the Mac and the VM’s NIC have no IPv6 addresses of one network where they meet',
    );
  const trouble = linkTrouble(found);
  // A step that fails says more than that what it makes is not there.
  if (trouble && trouble.reason !== 'NotSet') return trouble;
  if (failure) return failure;
  if (trouble) return trouble;
  if (!isPrepared(found)) return no('NotPrepared', 'the VM’s end has no IPv6 address yet');
  if (!config.routes.manage) return yes('NotManaged', 'routes.manage is false: routes are left as they are');
  const verdicts = judgement.routes.filter(({ subnet }) => isIpv6(subnet));
  const unsettled = unsettledRoutes(found, verdicts, 'Ipv6');
  if (unsettled) return unsettled;
  const routed = verdicts.filter(({ state }) => state === 'routed');
  const { dataPath } = found.observation;
  if (found.probe && dataPath.session === found.probe.session && dataPath.state === 'silent')
    return no(
      'NothingAnswers',
      `link, firewall and routes look right, but by IPv6 not all that should answer does (${dataPath.detail}). It is checked ` +
        'again each minute',
    );
  return routed.length > 0
    ? settled(found, routed)
    : yes('NoneRouted', 'no IPv6 subnet of Docker’s is routed: `tuntapctl routes` says why of each');
};
