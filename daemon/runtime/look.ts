import type { Config } from '../../config/schema.js';
import { isAsked } from '../core/docker/engine.js';
import { type Judgement, judging } from '../core/judgement.js';
import { learn } from '../core/learning.js';
import type { LinkMaker } from '../core/link/maker.js';
import type { Memory } from '../core/memory.js';
import type { NamesObservation } from '../core/names/observation.js';
import {
  type Bundles,
  type Configuration,
  type ConsoleUser,
  type DataPath,
  type Observation,
  type Seen,
  type Vm,
  valueOf,
} from '../core/observation.js';
import { createAtWork } from './at-work.js';
import type { EngineLink } from './engine.js';
import { inSlices } from '../lib/in-slices.js';
import type { MemoryKeeper } from './memory.js';
import type { Sight } from './observe.js';
import type { RouteKeeper } from './route-keeper.js';

/** Milliseconds until a bundle that is being replaced may be settled; null when time alone settles none. */
function settlesIn(bundles: Seen<Bundles>): number | null {
  const times = (bundles.known ? bundles.value.replacing : []).flatMap(({ settlesIn: time }) => time ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

/**
 * One look at the world and what it means: reads it, has the watchers follow who and what is there, remembers what it
 * teaches, and judges it.
 */
export function createLook(parts: {
  maker: LinkMaker;
  config: Config;
  configuration: () => Configuration;
  observe: () => Promise<Sight>;
  memory: Pick<MemoryKeeper, 'now' | 'record' | 'learn'>;
  /** The memory to judge by. */
  remembered: () => Memory;
  routes: Pick<RouteKeeper, 'notice'>;
  engine: Pick<EngineLink, 'follow' | 'last'>;
  dataPath: () => DataPath;
  /** The same of the way by IPv6. */
  dataPath6: () => DataPath;
  names: () => Promise<NamesObservation>;
  /** The container of the user's that has been running longest. */
  longestRunning: Parameters<typeof createAtWork>[0];
  onUser: (user: ConsoleUser | null) => void;
  onVm: (vm: Vm | null) => void;
  /** `settlesIn`: milliseconds after which another look is due, or null. */
  onBundles: (apps: readonly string[], settlesIn: number | null) => Promise<void>;
}): () => Promise<Judgement> {
  const { maker, config, memory, engine } = parts;
  const askContainers = createAtWork(parts.longestRunning);

  /** Has the watchers follow what was seen. */
  async function follow({ mac, places }: Sight): Promise<void> {
    const { consoleUser, vm, bundles } = mac;
    parts.onUser(consoleUser.known ? consoleUser.value : null);
    if (vm.known) parts.onVm(vm.value);
    await parts.onBundles(places, settlesIn(bundles));
  }

  return async () => {
    const [sight, names] = await Promise.all([parts.observe(), parts.names()]);
    await follow(sight);
    const { mac, owner } = sight;
    const vm = valueOf(mac.vm);
    const observation: Observation = {
      ...mac,
      configuration: parts.configuration(),
      userContainer: null,
      engine:
        mac.vm.known && owner.known
          ? engine.follow(owner.value, vm && isAsked(vm, memory.now()) ? vm : null)
          : engine.last(),
      dataPath: parts.dataPath(),
      ...(mac.ipv6 && { ipv6: { ...mac.ipv6, dataPath: parts.dataPath6() } }),
      names,
    };
    const link = maker.state(config, observation, memory.now());
    const link6 = maker.ipv6?.state(config, observation, memory.now(), link) ?? null;
    const look = { observation, link, link6 };
    await parts.routes.notice(look);
    const { mayBeSetUp, ipv6, ...lasting } = learn(config, look, memory.now());
    await Promise.all([
      mayBeSetUp === undefined ? null : memory.learn({ mayBeSetUp }),
      ipv6 === undefined ? null : memory.learn({ ipv6 }),
      Object.keys(lasting).length === 0 ? null : memory.record(lasting),
    ]);
    const judgement = await inSlices(judging(config, look, parts.remembered()));
    const { restart } = judgement;
    const session = observation.engine.known ? observation.engine.value?.session : undefined;
    // A restart of Docker hangs on whether somebody's container is at work: only then is that asked.
    if (restart.act !== 'wait' || !restart.forContainers || session === undefined) return judgement;
    const userContainer = await askContainers(`${session} ${memory.now().restart.asked}`);
    const complete = { ...look, observation: { ...observation, userContainer } };
    return inSlices(judging(config, complete, parts.remembered()));
  };
}
