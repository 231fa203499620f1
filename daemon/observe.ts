import type { Config } from '../config/schema.js';
import type { BundleRoom } from './docker-app/bundles.js';
import type { EngineLink } from './engine-link.js';
import { longestRunning } from './guest/user-containers.js';
import { usualApps } from './learning.js';
import { observeConsoleUser } from './mac/console-user.js';
import { observeKext } from './mac/kext.js';
import { createResolverObserver } from './mac/resolvers.js';
import { observeRoutes } from './mac/routes.js';
import { macosVersion } from './mac/macos.js';
import { observeTapDevice } from './mac/tap-device.js';
import { observeTapInterface } from './mac/tap-interface.js';
import {
  type Bundles,
  type Configuration,
  type ConsoleUser,
  type Observation,
  type Seen,
  seen,
  unknown,
  type Vm,
} from './observation.js';
import type { Memory } from './plan.js';
import { judgeRestart } from './restarting.js';
import { messageOf } from './text.js';
import { pickVm } from './vm/find.js';
import { listProcesses, pickDocker, type Process } from './vm/processes.js';

/** Milliseconds until a bundle that is being replaced may be settled; null when time alone settles none. */
function settlesIn(bundles: Seen<Bundles>): number | null {
  const times = (bundles.known ? bundles.value.replacing : []).flatMap(({ settlesIn: time }) => time ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

/** Reads the world by way of every room; changes nothing. The `on…` are told who and what is there. */
export function createObserver(parts: {
  config: Config;
  configuration: () => Configuration;
  memory: () => Memory;
  bundles: BundleRoom;
  engine: EngineLink;
  onUser: (user: ConsoleUser | null) => void;
  onVm: (vm: Vm | null) => void;
  /** `settlesIn`: milliseconds after which another look is due, or null. */
  onBundles: (apps: readonly string[], settlesIn: number | null) => Promise<void>;
}): () => Promise<Observation> {
  const { config, configuration, memory, bundles, engine, onUser, onVm, onBundles } = parts;
  const observeResolvers = createResolverObserver();
  let macos: Observation['macos'] = unknown('not asked');
  let asked: { occasion: string; answer: NonNullable<Observation['userContainer']> } | null = null;

  /**
   * Asked once in a session, and once more when a person asks for the link, and only when a restart depends on it:
   * nothing of the engine’s is polled.
   */
  async function askContainers(session: string): Promise<NonNullable<Observation['userContainer']>> {
    const occasion = `${session} ${memory().restart.asked}`;
    if (asked?.occasion !== occasion)
      asked = {
        occasion,
        answer: await longestRunning(engine.client()).then(seen, (error: unknown) =>
          unknown(`Docker Engine does not tell whether a container is at work: ${messageOf(error)}`),
        ),
      };
    return asked.answer;
  }
  return async () => {
    // It does not change while a daemon lives.
    if (!macos.known) macos = await macosVersion();
    const [consoleUser, processes, tapDevice, kext, tapInterface, routes] = await Promise.all([
      observeConsoleUser(),
      listProcesses(),
      observeTapDevice(config.tap.device),
      observeKext(),
      observeTapInterface(config.tap.device),
      observeRoutes(),
    ]);
    const user = consoleUser.known ? consoleUser.value : null;
    const holder = tapInterface.known ? (tapInterface.value?.holder ?? null) : null;
    onUser(user);
    const ofUser = <T>(pick: (list: readonly Process[], user: ConsoleUser) => T, none: T): Seen<T> => {
      if (!consoleUser.known) return unknown(consoleUser.why);
      if (!user) return seen(none);
      return processes.known ? seen(pick(processes.value, user)) : unknown(processes.why);
    };
    const vm = ofUser<Vm | null>(
      (list, { uid }) => pickVm(list, { uid, holder, device: config.tap.device }),
      null,
    );
    const docker = ofUser(pickDocker, []);
    const running = docker.known ? docker.value.map(({ app }) => app) : [];
    const places = [...new Set([...usualApps(config, user), ...memory().apps, ...running])];
    const [resolvers, found] = await Promise.all([
      observeResolvers(routes, config.tap.peer),
      bundles.observe(places),
    ]);
    if (vm.known) onVm(vm.value);
    await onBundles(places, settlesIn(found));
    const observation: Observation = {
      at: Date.now(),
      macos,
      configuration: configuration(),
      consoleUser,
      tapDevice,
      kext,
      tapInterface,
      routes,
      resolvers,
      bundles: found,
      vm,
      docker,
      userContainer: null,
      engine: vm.known ? engine.follow(user, vm.value) : engine.last(),
    };
    const verdict = judgeRestart(config, observation, memory());
    const session = observation.engine.known ? observation.engine.value?.session : undefined;
    return verdict.act === 'wait' && verdict.forContainers && session !== undefined
      ? { ...observation, userContainer: await askContainers(session) }
      : observation;
  };
}
