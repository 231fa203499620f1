/**
 * What has to be done, and in which order. Pure: what must happen after a reboot, a Docker update or a restart of the VM
 * is the same function of what is seen. Each topic judges its own steps; here they get their places.
 */
import { reopenSteps } from './docker/restart.js';
import { isPrepared, prepareSteps, releaseSteps } from './guest.js';
import { needsIpv6 } from './ipv6-need.js';
import type { FamilyJudgement, Judgement } from './judgement.js';
import { namesSteps } from './names/names.js';
import type { LinkMaker } from './link/maker.js';
import { type Engine, valueOf } from './observation.js';
import { deletions, routeSteps } from './routes/routes.js';
import type { Step } from './steps.js';

/** What undoes the Mac’s end of a way. */
type Undo = (why: string) => readonly Step[];

const undoOf =
  (maker: LinkMaker, judgement: Judgement): Undo =>
  (why) =>
    maker.undo(judgement, why).link;

/** Both ends of the link and the routes over it. `isSetUp`: whether the VM’s end may be there. */
function dismantle(
  judgement: FamilyJudgement,
  undo: Undo,
  why: string,
  isSetUp: (engine: Engine) => boolean,
): Step[] {
  const engine = valueOf(judgement.observation.engine);
  return [
    ...deletions(judgement, () => why),
    ...(engine && isSetUp(engine) ? releaseSteps(judgement, why) : []),
    ...undo(why),
  ];
}

/**
 * Of a VM that was set up its end goes too: from there as well the network’s other owner is to be reached. It may
 * have been set up by an earlier daemon, or by a step that was broken off.
 */
function giveWay(judgement: FamilyJudgement, undo: Undo, why: string): Step[] {
  const { guest, mayBeSetUp, released } = judgement.memory;
  return dismantle(
    judgement,
    undo,
    why,
    ({ session, vm }) => released !== session && (guest?.session === session || mayBeSetUp === vm),
  );
}

/** A link that may be there by IPv6 goes first; of both, a VM that an earlier daemon set up is released too. */
function lower(maker: LinkMaker, judgement: Judgement): Step[] {
  const why = 'the link is to be down';
  const { ipv6, memory } = judgement;
  return [
    ...(ipv6 ? giveWay(ipv6, (each) => maker.ipv6?.undo(ipv6, each) ?? [], why) : []),
    ...dismantle(judgement, undoOf(maker, judgement), why, ({ session }) => memory.released !== session),
  ];
}

/** What a link by IPv6 needs, by where it stands among what IPv4 needs, none of which waits for it. */
interface Ipv6Steps {
  readonly link: readonly Step[];
  readonly removals: readonly Step[];
  readonly after: readonly Step[];
}

const noSteps: Ipv6Steps = { link: [], removals: [], after: [] };

/** The way by IPv6, where it is to be set up in the VM: for as long as it is wanted, needed and nobody else's. */
function wanted6({ ipv6 }: Judgement): FamilyJudgement | null {
  if (!ipv6?.config.ipv6.manage || ipv6.collision !== null) return null;
  return needsIpv6(ipv6.config, ipv6.observation.engine, ipv6.memory) ? ipv6 : null;
}

const isRemoval = ({ kind }: Step): boolean => kind === 'delete-route';

/**
 * `inVm`: the way that is set up in the VM by itself; null: none, or IPv4's end there comes first. A VM may have no IPv6
 * at all, so nothing is routed before its end is there.
 */
function ipv6Steps(maker: LinkMaker, { ipv6 }: Judgement, inVm: FamilyJudgement | null): Ipv6Steps {
  if (!ipv6) return noSteps;
  const { config, collision, link } = ipv6;
  const undo: Undo = (why) => maker.ipv6?.undo(ipv6, why) ?? [];
  const why = config.ipv6.manage ? collision : 'ipv6.manage is false';
  if (why !== null) return link.vm ? { ...noSteps, removals: giveWay(ipv6, undo, why) } : noSteps;
  const onMac = routeSteps(ipv6);
  return {
    link: maker.ipv6?.steps(ipv6) ?? [],
    removals: onMac.filter(isRemoval),
    after: [
      ...(inVm ? prepareSteps(inVm) : []),
      ...(isPrepared(ipv6) ? onMac.filter((step) => !isRemoval(step)) : []),
    ],
  };
}

/** What gives hyperkit and Docker back, and takes the link down. */
const restore = (maker: LinkMaker, judgement: Judgement): Step[] => [
  ...namesSteps(judgement),
  ...maker.undo(judgement, '').before,
  ...reopenSteps(judgement),
  ...lower(maker, judgement),
];

/**
 * The steps from what is seen to what is wanted, in order; none when everything is as it should be. A step that
 * depends on another one's effect waits until that effect is seen.
 */
export function plan(maker: LinkMaker, judgement: Judgement): readonly Step[] {
  const { observation, memory, link, collision } = judgement;
  if (memory.wanted === 'removed') return [...restore(maker, judgement), ...maker.undo(judgement, '').after];
  // Nobody knows what an operator wants whose configuration cannot be read; a file that leads to no server helps nobody.
  if (!observation.configuration.inForce) return namesSteps(judgement);
  if (memory.wanted === 'restored') return restore(maker, judgement);
  const steps = maker.steps(judgement);
  const before = [...steps.before, ...reopenSteps(judgement), ...namesSteps(judgement)];
  if (memory.wanted === 'down' || memory.lowered) return [...before, ...lower(maker, judgement)];
  if (collision !== null) {
    const away = link.vm ? giveWay(judgement, undoOf(maker, judgement), collision) : [];
    const ipv6 = ipv6Steps(maker, judgement, away.length === 0 ? wanted6(judgement) : null);
    return [...before, ...away, ...ipv6.link, ...ipv6.removals, ...ipv6.after];
  }
  const onMac = routeSteps(judgement);
  const way6 = wanted6(judgement);
  const inVm = prepareSteps(judgement, way6);
  const ipv6 = ipv6Steps(maker, judgement, inVm.length === 0 ? way6 : null);
  return [
    ...before,
    // An address that is there before the interface is up need not be asked for (nd6_nbr.c).
    ...ipv6.link,
    ...steps.link,
    // A range that others have claimed is given back before anything waits for a container in the VM.
    ...onMac.filter(isRemoval),
    ...ipv6.removals,
    ...inVm,
    ...onMac.filter((step) => !isRemoval(step)),
    ...ipv6.after,
    ...steps.after,
  ];
}
