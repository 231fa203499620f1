/** What a look at the world means: judged once a pass, and given to plan, conditions, data path and status. Pure. */
import type { Config } from '../../config/schema.js';
import { finished, type Work } from '../lib/work.js';
import { type Observation, valueOf } from './observation.js';
import { type ProbeTarget, probeTargetOf } from './probe.js';
import { type RestartVerdict, judgeRestart } from './docker/restart-verdict.js';
import { linkCollision } from './link/collision.js';
import type { LinkState } from './link/link.js';
import type { Memory } from './memory.js';
import { judgeNames, type NamesVerdict } from './names/names.js';
import { type Others, othersOn } from './routes/others.js';
import { judgeRoutes, type RouteVerdict } from './routes/verdicts.js';

/** What was seen, and the link that is in it. */
export interface Look {
  readonly observation: Observation;
  readonly link: LinkState;
}

export interface Judgement extends Look {
  readonly config: Config;
  readonly memory: Memory;
  /** What others have on this Mac. */
  readonly others: Others;
  /** Who else has the link's network, for people; null: nobody. */
  readonly collision: string | null;
  readonly routes: readonly RouteVerdict[];
  readonly names: NamesVerdict;
  readonly restart: RestartVerdict;
  /** What there is to check once every table looks right; null before. */
  readonly probe: ProbeTarget | null;
}

/** Finds out what a look means by this configuration and memory; the names of thousands of containers take a while. */
export function* judging(config: Config, { observation, link }: Look, memory: Memory): Work<Judgement> {
  const others = othersOn(link.link, observation, memory.ownedRoutes);
  const collision = linkCollision({ config, observation, link, others });
  const routes = judgeRoutes({ config, observation, link, memory, others });
  const names = yield* judgeNames(config, { observation, link }, memory, routes);
  const restart = judgeRestart({ config, observation, link, memory, collision });
  const probe = probeTargetOf({ config, engine: valueOf(observation.engine), link, memory, routes });
  return { config, observation, link, memory, others, collision, routes, names, restart, probe };
}

/** The same at once. */
export const judge = (...given: Parameters<typeof judging>): Judgement => finished(judging(...given));
