/** The parts of a judgement, each straight from what is seen, for tests that are about one of them. */
import type { Config } from '../../../config/schema.js';
import type { Failure, Finding, Phase } from '../../../daemon/core/condition.js';
import { judgeConditions as conditionsOf } from '../../../daemon/core/conditions.js';
import type { ProbeTarget } from '../../../daemon/core/probe.js';
import type { RestartVerdict } from '../../../daemon/core/docker/restart-verdict.js';
import { judge, type Judgement, type Look } from '../../../daemon/core/judgement.js';
import type { LinkState } from '../../../daemon/core/link/link.js';
import { tap } from '../../../daemon/core/link/tap.js';
import { learn as learnFrom } from '../../../daemon/core/learning.js';
import type { Memory } from '../../../daemon/core/memory.js';
import type { Observation } from '../../../daemon/core/observation.js';
import { plan as planOf } from '../../../daemon/core/plan.js';
import type { RouteVerdict } from '../../../daemon/core/routes/verdicts.js';
import type { Step } from '../../../daemon/core/steps.js';
import { up } from './worlds.js';

export function lookAt(config: Config, observation: Observation, memory: Memory = up): Look {
  const link = tap.state(config, observation, memory);
  return { observation, link, link6: tap.ipv6?.state(config, observation, memory, link) ?? null };
}

export const judged = (config: Config, observation: Observation, memory: Memory): Judgement =>
  judge(config, lookAt(config, observation, memory), memory);

export const plan = (config: Config, observation: Observation, memory: Memory): readonly Step[] =>
  planOf(tap, judged(config, observation, memory));

export const judgeConditions = (
  config: Config,
  observation: Observation,
  memory: Memory,
  failures: readonly Failure[],
): { readonly phase: Phase; readonly findings: readonly Finding[] } =>
  conditionsOf(tap, judged(config, observation, memory), failures);

export const judgeRoutes = (
  config: Config,
  observation: Observation,
  memory: Memory,
): readonly RouteVerdict[] => judged(config, observation, memory).routes;

export const judgeRestart = (config: Config, observation: Observation, memory: Memory): RestartVerdict =>
  judged(config, observation, memory).restart;

export const probeTargetOf = (config: Config, observation: Observation, memory: Memory): ProbeTarget | null =>
  judged(config, observation, memory).probe;

export const linkCollision = (config: Config, observation: Observation): string | null =>
  judged(config, observation, up).collision;

export const learn = (config: Config, observation: Observation, memory: Memory): Partial<Memory> =>
  learnFrom(config, lookAt(config, observation, memory), memory);

/** The link's state in one word: what a link that is there lacks, else its kind. */
export function linkKind(config: Config, observation: Observation): string {
  const state: LinkState = tap.state(config, observation, up);
  return state.kind === 'present' ? `lacks ${state.lacks}` : state.kind;
}

export const isUp = (config: Config, observation: Observation): boolean =>
  tap.state(config, observation, up).kind === 'up';
