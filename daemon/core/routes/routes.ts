/** Routes over the link: which are added and taken back, and what is told of them. Pure. */
import { failed, type Judge, no, unclear, yes } from '../condition.js';
import type { Judgement } from '../judgement.js';
import { valueOf } from '../observation.js';
import type { Step } from '../steps.js';
import { takenBy } from '../link/link.js';
import { takenRow } from '../link/taken.js';
import { isRowOf, stillOwned } from './table.js';
import { extraKey, overtaken, type RouteVerdict } from './verdicts.js';

/** Deletions of our routes for whose subnet `whyNot` has a reason; null is none. */
export function deletions(
  { observation, memory, link: { link } }: Judgement,
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
function linkIsAway({ link, memory }: Judgement): string | null {
  if (takenBy(link)) return 'the link’s network is taken';
  return link.kind !== 'up' && memory.link.held?.state === 'yielded' ? 'the link is yielded' : null;
}

/** What is wanted and not there is added, what is there and not wanted goes first. */
export function routeSteps(judgement: Judgement): Step[] {
  const { config, observation, link, routes: verdicts } = judgement;
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

/** Why no route is added or moved for now, though it is wanted; null where nothing holds them back. */
function whyHeldBack(judgement: Judgement): string | null {
  const { memory, collision, link } = judgement;
  if (takenRow(judgement) || collision !== null)
    return `held back while ${link.link?.network.text ?? ''}, the link’s own network, is somebody else’s (see TapAddress)`;
  if (link.sought === null) return 'held back until the VM’s NIC is found (see TapAttached)';
  return memory.link.held?.state === 'yielded'
    ? 'held back with the link, whose network something on this Mac keeps taking away (see TapAddress)'
    : null;
}

/** The verdicts as a person is told of them: what waits for a link that is away does not read as if it were about to come. */
export function toldRoutes(judgement: Judgement): readonly RouteVerdict[] {
  const why = whyHeldBack(judgement);
  if (why === null) return judgement.routes;
  return judgement.routes.map((verdict) => (verdict.state === 'pending' ? { ...verdict, why } : verdict));
}

/** A few by name, the rest as a number: with hundreds of networks a message must stay one. */
const listed = (words: readonly string[], separator: string): string =>
  words.length <= 10
    ? words.join(separator)
    : `${words.slice(0, 8).join(separator)}${separator}and ${words.length - 8} more`;

export const routes: Judge<'Routes'> = (judgement, failures) => {
  const { config, observation, routes: verdicts } = judgement;
  if (!config.routes.manage) return yes('NotManaged', 'routes.manage is false: routes are left as they are');
  if (!observation.routes.known) return unclear(observation.routes.why);
  const failure = failed('Routes', failures);
  if (failure) return failure;
  if (!valueOf(observation.engine)) return no('NoEngine', 'Docker’s networks are not known (yet)');
  const inState = (...states: readonly RouteVerdict['state'][]) =>
    verdicts.filter(({ state }) => states.includes(state));
  const told = (found: readonly RouteVerdict[]): string =>
    listed(
      found.map(({ subnet, network, why }) => `${subnet} (${network}): ${why}`),
      '; ',
    );
  const subnets = (found: readonly RouteVerdict[]): string =>
    listed(
      found.map(({ subnet }) => subnet),
      ', ',
    );
  const foreign = inState('foreign');
  if (foreign.length > 0) return no('Conflict', told(foreign));
  const yielded = inState('yielded');
  if (yielded.length > 0) return no('Yielded', told(yielded));
  const [unsure] = observation.resolvers.known ? [] : inState('waiting');
  if (unsure) return no('ResolversUnknown', `not routed: ${unsure.why}`);
  const pending = inState('pending', 'waiting');
  if (pending.length > 0)
    return no('Pending', `${whyHeldBack(judgement) ?? 'not routed yet'}: ${subnets(pending)}`);
  const routed = inState('routed');
  if (routed.length > 0) return yes('Set', subnets(routed));
  return verdicts.length === 0
    ? yes('NoNetwork', 'Docker has no network yet')
    : yes('NoneRouted', 'no subnet of Docker’s is routed: `tuntapctl routes` says why of each');
};
