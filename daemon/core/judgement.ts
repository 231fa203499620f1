/** What a look at the world means: judged once a pass, and given to plan, conditions, data path and status. Pure. */
import type { Config } from '../../config/schema.js';
import type { Family } from '../lib/prefix.js';
import { finished, type Work } from '../lib/work.js';
import { type Observation, unchecked, unknown, valueOf } from './observation.js';
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
  /** The same link by IPv6. Null or left out: there is nothing to do for it, and nothing to undo. */
  readonly link6?: LinkState | null;
}

/** What a look means for the way by one family. */
export interface FamilyJudgement {
  readonly family: Family;
  readonly config: Config;
  /** Its `routes` and `dataPath` are those of this family. */
  readonly observation: Observation;
  readonly link: LinkState;
  /** Of the ways to the VM it has that of this family. */
  readonly memory: Memory;
  /** What others have on this Mac. */
  readonly others: Others;
  /** Who else has the link's network, for people; null: nobody. */
  readonly collision: string | null;
  /** Of every subnet, whatever its family. */
  readonly routes: readonly RouteVerdict[];
  /** What there is to check once this family's table looks right; null before. */
  readonly probe: ProbeTarget | null;
}

/** What a look means: of IPv4, of IPv6, and of all that is of neither. */
export interface Judgement extends FamilyJudgement {
  /** Null: nobody needs IPv6, and nothing of it is left to be undone. */
  readonly ipv6: FamilyJudgement | null;
  readonly names: NamesVerdict;
  readonly restart: RestartVerdict;
}

type Way = Omit<FamilyJudgement, 'routes' | 'probe'>;

function judgedWay(way: Way, routes: readonly RouteVerdict[]): FamilyJudgement {
  const engine = valueOf(way.observation.engine);
  return { ...way, routes, probe: probeTargetOf({ ...way, engine, routes }) };
}

function wayOf(family: Family, config: Config, { observation, link }: Look, memory: Memory): Way {
  const others = othersOn(link.link, observation, memory.ownedRoutes);
  const collision = linkCollision({ config, observation, link, others });
  return { family, config, observation, link, memory, others, collision };
}

/** The way by IPv6, as data of the same shape: what is judged of the other is judged of it by the same rules. */
function ipv6WayOf(config: Config, { observation, link6 }: Look, memory: Memory): Way | null {
  if (!link6) return null;
  const { routes, dataPath } = observation.ipv6 ?? {
    routes: unknown('nobody needs IPv6, so its table was not looked at'),
  };
  return wayOf(
    6,
    config,
    { observation: { ...observation, routes, dataPath: dataPath ?? unchecked }, link: link6 },
    { ...memory, ...memory.ipv6 },
  );
}

/** Finds out what a look means by this configuration and memory; the names of thousands of containers take a while. */
export function* judging(config: Config, look: Look, memory: Memory): Work<Judgement> {
  const { observation, link } = look;
  const way = wayOf(4, config, look, memory);
  const way6 = ipv6WayOf(config, look, memory);
  const { collision } = way;
  const routes = judgeRoutes(way, way6);
  const ipv6 = way6 && judgedWay(way6, routes);
  const names = yield* judgeNames(config, { observation, link }, memory, routes);
  const restart = judgeRestart({ config, observation, link, memory, collision });
  return { ...judgedWay(way, routes), ipv6, names, restart };
}

/** The same at once. */
export const judge = (...given: Parameters<typeof judging>): Judgement => finished(judging(...given));
