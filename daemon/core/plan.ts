/**
 * What has to be done, and in which order. Pure: what must happen after a reboot, a Docker update or a restart of the VM
 * is the same function of what is seen. Each topic judges its own steps; here they get their places.
 */
import { reopenSteps } from './docker/restart.js';
import { prepareSteps, releaseSteps } from './guest.js';
import type { Judgement } from './judgement.js';
import { namesSteps } from './names/names.js';
import type { LinkMaker } from './link/maker.js';
import { type Engine, valueOf } from './observation.js';
import { deletions, routeSteps } from './routes/routes.js';
import type { Step } from './steps.js';

/** Both ends of the link and the routes over it. `isSetUp`: whether the VM’s end may be there. */
function dismantle(
  maker: LinkMaker,
  judgement: Judgement,
  why: string,
  isSetUp: (engine: Engine) => boolean,
): Step[] {
  const engine = valueOf(judgement.observation.engine);
  return [
    ...deletions(judgement, () => why),
    ...(engine && isSetUp(engine) ? releaseSteps(judgement, why) : []),
    ...maker.undo(judgement, why).link,
  ];
}

/** A VM that an earlier daemon set up is released too. */
const lower = (maker: LinkMaker, judgement: Judgement): Step[] =>
  dismantle(
    maker,
    judgement,
    'the link is to be down',
    ({ session }) => judgement.memory.released !== session,
  );

/**
 * Of a VM that was set up its end goes too: from there as well the network’s other owner is to be reached. It may
 * have been set up by an earlier daemon, or by a step that was broken off.
 */
function giveWay(maker: LinkMaker, judgement: Judgement, why: string): Step[] {
  const { guest, mayBeSetUp, released } = judgement.memory;
  return dismantle(
    maker,
    judgement,
    why,
    ({ session, vm }) => released !== session && (guest?.session === session || mayBeSetUp === vm),
  );
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
  // Nobody knows what an operator wants whose configuration cannot be read.
  if (!observation.configuration.inForce) return [];
  if (memory.wanted === 'restored') return restore(maker, judgement);
  const steps = maker.steps(judgement);
  const before = [...steps.before, ...reopenSteps(judgement), ...namesSteps(judgement)];
  if (memory.wanted === 'down' || memory.lowered) return [...before, ...lower(maker, judgement)];
  if (collision !== null) return [...before, ...(link.vm ? giveWay(maker, judgement, collision) : [])];
  const onMac = routeSteps(judgement);
  const isRemoval = ({ kind }: Step): boolean => kind === 'delete-route';
  return [
    ...before,
    ...steps.link,
    // A range that others have claimed is given back before anything waits for a container in the VM.
    ...onMac.filter(isRemoval),
    ...prepareSteps(judgement),
    ...onMac.filter((step) => !isRemoval(step)),
    ...steps.after,
  ];
}
