/** Routes over the link: which are added and taken back, and what is told of them. Pure. */
import type { ConditionType } from '../../api/reasons/record.js';
import { failed, type Judge, no, unclear, type Verdict, yes } from '../condition.js';
import { type Family, isIpv6 } from '../../lib/prefix.js';
import { isPrepared } from '../guest.js';
import type { FamilyJudgement, Judgement } from '../judgement.js';
import { valueOf } from '../observation.js';
import type { Step } from '../steps.js';
import { takenBy } from '../link/link.js';
import { takenRow } from '../link/taken.js';
import { isRowOf, stillOwned } from './table.js';
import { extraKey, overtaken, type RouteVerdict } from './verdicts.js';

/** Deletions of our routes for whose subnet `whyNot` has a reason; null is none. */
export function deletions(
  { observation, memory, link: { link } }: FamilyJudgement,
  whyNot: (subnet: string) => string | null,
): Step[] {
  const table = valueOf(observation.routes) ?? [];
  const ours = new Map(
    stillOwned(link, memory.ownedRoutes, table).map(({ subnet, gateway }) => [subnet, gateway]),
  );
  return table.flatMap((row): Step[] => {
    const subnet = row.destination.text;
    const gateway = ours.get(subnet);
    if (gateway === undefined || !isRowOf(subnet, row)) return [];
    // A route of ours that the kernel bound elsewhere (route.c, rule of the default route) sends containers' traffic
    // to the LAN, and one through another gateway is of an earlier configuration: they go, though their network stays.
    const leads = row.interface === link?.interface && gateway === link.vmAddress;
    const why = leads ? whyNot(subnet) : `it leads to ${gateway} on ${row.interface}`;
    if (why === null) return [];
    const { interface: name } = row;
    return [{ kind: 'delete-route', key: `delete ${subnet}`, why, subnet, gateway, interface: name }];
  });
}

/** Why routes over the link lead nowhere, and not for a moment only; null: they do, or soon will. */
function linkIsAway({ link, memory }: FamilyJudgement): string | null {
  if (takenBy(link)) return 'the link’s network is taken';
  return link.kind !== 'up' && memory.link.held?.state === 'yielded' ? 'the link is yielded' : null;
}

/** Whether a verdict is about a subnet of a family. */
const isOf =
  (family: Family) =>
  ({ subnet }: RouteVerdict): boolean =>
    isIpv6(subnet) === (family === 6);

/** What of a family is wanted and not there is added, what is there and not wanted goes first. */
export function routeSteps(judgement: FamilyJudgement): Step[] {
  const { config, observation, link } = judgement;
  const verdicts = judgement.routes.filter(isOf(judgement.family));
  if (!config.routes.manage) return deletions(judgement, () => 'routes.manage is off');
  const away = linkIsAway(judgement);
  if (away !== null) return deletions(judgement, () => away);
  // Without the link what still stands of ours leads elsewhere.
  if (!link.vm) return link.kind === 'absent' ? deletions(judgement, () => 'the link is gone') : [];
  const engine = valueOf(observation.engine);
  if (!engine) {
    const claimed = overtaken(judgement);
    return deletions(judgement, (subnet) => claimed.get(subnet) ?? null);
  }
  const keep = new Set(
    verdicts.filter(({ state }) => state !== 'refused' && state !== 'foreign').map(({ subnet }) => subnet),
  );
  const reasons = new Map(verdicts.map(({ subnet, why }) => [subnet, why]));
  const removals = deletions(judgement, (subnet) =>
    keep.has(subnet)
      ? null
      : (reasons.get(subnet) ?? (engine.isProvisional ? null : 'no Docker network has this subnet')),
  );
  if (link.kind !== 'up') return removals;
  const { vmAddress: gateway, interface: name } = link.link;
  return [
    ...removals,
    ...verdicts
      .filter(({ state }) => state === 'pending')
      .map(({ subnet, network }): Step => ({
        kind: 'add-route',
        key: `route ${subnet}`,
        why: network === extraKey ? `${extraKey} lists it` : `Docker network ${network} has this subnet`,
        subnet,
        gateway,
        interface: name,
      })),
  ];
}

/** Why no route is added for now, though it is wanted; null where nothing holds them back. */
function whyHeldBack(judgement: FamilyJudgement, condition: ConditionType): string | null {
  const { memory, collision, link } = judgement;
  if (takenRow(judgement) || collision !== null)
    return `held back while ${link.link?.network.text ?? ''}, the link’s own network, is somebody else’s (see ${condition})`;
  if (link.sought === null) return 'held back until the VM’s NIC is found (see TapAttached)';
  return memory.link.held?.state === 'yielded'
    ? `held back with the link, whose network something on this Mac keeps taking away (see ${condition})`
    : null;
}

/** The same of IPv6, of which the VM may have none. */
function whyHeldBack6(judgement: FamilyJudgement): string | null {
  const { link } = judgement;
  const held = whyHeldBack(judgement, 'Ipv6');
  if (held !== null) return held;
  if (link.kind === 'present' && link.lacks === 'uniqueness') return `IPv4 only: ${link.why}`;
  return isPrepared(judgement) ? null : 'IPv4 only until the VM’s end is set up by IPv6 (see Ipv6)';
}

/** The verdicts as a person is told of them: what waits for a link that is away does not read as if it were about to come. */
export function toldRoutes(judgement: Judgement): readonly RouteVerdict[] {
  const { ipv6 } = judgement;
  const why = whyHeldBack(judgement, 'TapAddress');
  const why6 = ipv6 && whyHeldBack6(ipv6);
  if (why === null && why6 === null) return judgement.routes;
  return judgement.routes.map((verdict) => {
    const held = isIpv6(verdict.subnet) ? why6 : why;
    return verdict.state === 'pending' && held !== null ? { ...verdict, why: held } : verdict;
  });
}

/** What a condition says of routes; null: all that is wanted stands. `condition`: where it is told why a link is away. */
export function unsettledRoutes(
  judgement: FamilyJudgement,
  verdicts: readonly RouteVerdict[],
  condition: ConditionType,
): Verdict<'Conflict' | 'Yielded' | 'ResolversUnknown' | 'Pending'> | null {
  const { observation } = judgement;
  const inState = (...states: readonly RouteVerdict['state'][]) =>
    verdicts.filter(({ state }) => states.includes(state));
  const told = (found: readonly RouteVerdict[]): string =>
    listed(
      found.map(({ subnet, network, why }) => `${subnet} (${network}): ${why}`),
      '; ',
    );
  const foreign = inState('foreign');
  if (foreign.length > 0) return no('Conflict', told(foreign));
  const yielded = inState('yielded');
  if (yielded.length > 0) return no('Yielded', told(yielded));
  const [unsure] = observation.resolvers.known ? [] : inState('waiting');
  if (unsure) return no('ResolversUnknown', `not routed: ${unsure.why}`);
  const pending = inState('pending', 'waiting');
  if (pending.length === 0) return null;
  return no('Pending', `${whyHeldBack(judgement, condition) ?? 'not routed yet'}: ${toldSubnets(pending)}`);
}

/** A few by name, the rest as a number: with hundreds of networks a message must stay one. */
const listed = (words: readonly string[], separator: string): string =>
  words.length <= 10
    ? words.join(separator)
    : `${words.slice(0, 8).join(separator)}${separator}and ${words.length - 8} more`;

/** Subnets in one line. */
export const toldSubnets = (verdicts: readonly RouteVerdict[]): string =>
  listed(
    verdicts.map(({ subnet }) => subnet),
    ', ',
  );

/** Those of IPv4: what IPv6 lacks is told by a condition of its own. */
export const routes: Judge<'Routes'> = (judgement, failures) => {
  const { config, observation } = judgement;
  const verdicts = judgement.routes.filter(isOf(4));
  if (!config.routes.manage) return yes('NotManaged', 'routes.manage is false: routes are left as they are');
  if (!observation.routes.known) return unclear(observation.routes.why);
  const failure = failed('Routes', failures);
  if (failure) return failure;
  if (!valueOf(observation.engine)) return no('NoEngine', 'Docker’s networks are not known (yet)');
  const unsettled = unsettledRoutes(judgement, verdicts, 'TapAddress');
  if (unsettled) return unsettled;
  const routed = verdicts.filter(({ state }) => state === 'routed');
  if (routed.length > 0) return yes('Set', toldSubnets(routed));
  return verdicts.length === 0
    ? yes('NoNetwork', 'Docker has no network yet')
    : yes('NoneRouted', 'no subnet of Docker’s is routed: `tuntapctl routes` says why of each');
};
