/** A way to make a link: what there is of it, how it is made and undone, and what is told of it. Pure. */
import type { Config } from '../../../config/schema.js';
import type { Judge } from '../condition.js';
import type { FamilyJudgement, Judgement } from '../judgement.js';
import type { Memory } from '../memory.js';
import type { Observation } from '../observation.js';
import type { Step } from '../steps.js';
import type { LinkState } from './link.js';

/** Steps by where they stand in a plan: before the link's own, those, and after everything else. */
export interface MakersSteps {
  readonly before: readonly Step[];
  readonly link: readonly Step[];
  readonly after: readonly Step[];
}

/** The conditions that are a maker's own. */
export type MakersCondition = 'TapDevice' | 'Shim' | 'TapAttached' | 'TapAddress';

/** What a maker has to do for the same link to be one by IPv6 too. */
export interface Ipv6Maker {
  /** `ipv4`: the link's state by IPv4. Null: there is nothing to do, and nothing of it to undo. */
  readonly state: (
    config: Config,
    observation: Observation,
    memory: Memory,
    ipv4: LinkState,
  ) => LinkState | null;
  readonly steps: (judgement: FamilyJudgement) => readonly Step[];
  readonly undo: (judgement: FamilyJudgement, why: string) => readonly Step[];
}

/** Data in, data out; adding one is adding files. */
export interface LinkMaker {
  readonly state: (config: Config, observation: Observation, memory: Memory) => LinkState;
  readonly steps: (judgement: Judgement) => MakersSteps;
  /** What undoes them; `why`: for the log, of those in `link`. */
  readonly undo: (judgement: Judgement, why: string) => MakersSteps;
  readonly judges: { readonly [T in MakersCondition]: Judge<T> };
  /** Left out: it makes no link by IPv6. */
  readonly ipv6?: Ipv6Maker;
}
