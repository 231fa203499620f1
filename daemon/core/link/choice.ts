/**
 * Which link it is: the configured one, or that which Docker's VM can have. A VM that runs by something else after an
 * update takes the other link with it. Pure.
 */
import type { Config } from '../../../config/schema.js';
import type { Judge } from '../condition.js';
import type { Judgement } from '../judgement.js';
import { appsThere } from '../learning.js';
import type { Memory } from '../memory.js';
import { kindOf, type Observation, valueOf } from '../observation.js';
import type { Step } from '../steps.js';
import type { LinkMaker, MakersCondition } from './maker.js';
import { tap } from './tap.js';
import { vmnet } from './vmnet.js';

const makers = { tap, vmnet } as const;

export type LinkName = keyof typeof makers;

/**
 * The name of the link. Without a VM it is what a Docker.app without hyperkit leaves, or else that of the last VM, since
 * the shim must not come and go with each, nor while an update has put Docker.app aside; before the first one a Docker.app
 * with hyperkit gets the shim. A Mac without any has nothing that a tap could be made for.
 */
function linkNameOf(config: Config, { vm, bundles }: Observation, { lastLink }: Memory): LinkName {
  if (config.link !== 'auto') return config.link;
  const running = valueOf(vm);
  if (running) return kindOf(running) === 'hyperkit' ? 'tap' : 'vmnet';
  const there = valueOf(bundles);
  if (there?.withHyperkit.length === 0 && there.without.length > 0) return 'vmnet';
  return lastLink ?? (there && appsThere(there).length === 0 ? 'vmnet' : 'tap');
}

const makerOf = ({
  config,
  observation,
  memory,
}: Pick<Judgement, 'config' | 'observation' | 'memory'>): LinkMaker =>
  makers[linkNameOf(config, observation, memory)];

/**
 * What has to stand before the next VM of Docker Desktop's starts. Another runtime's VM tells nothing of that one: it
 * takes no shim away, and while the last one of Docker Desktop's had a tap, the next one gets it too.
 */
function stepsBefore(judgement: Judgement, followed: readonly Step[]): readonly Step[] {
  const { config, observation, memory } = judgement;
  if (config.link !== 'auto' || !valueOf(observation.vm)?.runtime) return followed;
  const { withHyperkit = [] } = valueOf(observation.bundles) ?? {};
  return withHyperkit.length > 0 && memory.lastLink !== 'vmnet' ? tap.steps(judgement).before : [];
}

const judge =
  <T extends MakersCondition>(type: T): Judge<T> =>
  (judgement, failures) =>
    makerOf(judgement).judges[type](judgement, failures);

/** The maker of whichever link it is. */
export const chosenLink: LinkMaker = {
  state: (config, observation, memory) =>
    makerOf({ config, observation, memory }).state(config, observation, memory),
  steps: (judgement) => {
    const { before, ...rest } = makerOf(judgement).steps(judgement);
    return { ...rest, before: stepsBefore(judgement, before) };
  },
  undo: (judgement, why) => makerOf(judgement).undo(judgement, why),
  judges: {
    TapDevice: judge('TapDevice'),
    Shim: judge('Shim'),
    TapAttached: judge('TapAttached'),
    TapAddress: judge('TapAddress'),
  },
  ipv6: {
    state: (config, observation, memory, ipv4) =>
      makerOf({ config, observation, memory }).ipv6?.state(config, observation, memory, ipv4) ?? null,
    steps: (judgement) => makerOf(judgement).ipv6?.steps(judgement) ?? [],
    undo: (judgement, why) => makerOf(judgement).ipv6?.undo(judgement, why) ?? [],
  },
};
