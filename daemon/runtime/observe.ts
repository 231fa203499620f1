import type { Config } from '../../config/schema.js';
import { createAtWork } from './at-work.js';
import type { BundleRoom } from '../docker-app/bundles.js';
import type { EngineLink } from './engine.js';
import { longestRunning } from '../guest/user-containers.js';
import { appsThere, claimedApps, usualApps } from '../core/learning.js';
import { observeConsoleUser } from '../mac/console-user.js';
import { observeKext } from '../mac/kext.js';
import { createResolverObserver } from '../mac/resolvers.js';
import { observeRoutes } from '../mac/routes.js';
import { macosVersion } from '../mac/macos.js';
import { observeTapDevice } from '../mac/tap-device.js';
import { observeTapInterface } from '../mac/tap-interface.js';
import {
  type Bundles,
  type Configuration,
  type ConsoleUser,
  type DataPath,
  type Observation,
  type Seen,
  seen,
  unknown,
  type Vm,
} from '../core/observation.js';
import { userByUid } from '../mac/directory.js';
import type { Memory } from '../core/plan.js';
import { judgeRestart } from '../core/docker/restart.js';
import { pickVms } from '../vm/find.js';
import { listProcesses, pickDocker, type Process } from '../vm/processes.js';

/** Milliseconds until a bundle that is being replaced may be settled; null when time alone settles none. */
function settlesIn(bundles: Seen<Bundles>): number | null {
  const times = (bundles.known ? bundles.value.replacing : []).flatMap(({ settlesIn: time }) => time ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

/** Whose a VM is: its engine's socket lies in that user's home. Directory services are asked once for each. */
function createOwners(): (vm: Vm | null, inFront: ConsoleUser | null) => Promise<Seen<ConsoleUser | null>> {
  const known = new Map<number, ConsoleUser>();
  return async (vm, inFront) => {
    if (!vm || vm.uid === inFront?.uid) return seen(inFront);
    const before = known.get(vm.uid);
    if (before) return seen(before);
    const owner = await userByUid(vm.uid);
    if (owner.known && owner.value) known.set(vm.uid, owner.value);
    return owner;
  };
}

/** Reads the world by way of every room; changes nothing. The `on…` are told who and what is there. */
export function createObserver(parts: {
  config: Config;
  configuration: () => Configuration;
  memory: () => Memory;
  bundles: BundleRoom;
  engine: EngineLink;
  dataPath: () => DataPath;
  onUser: (user: ConsoleUser | null) => void;
  onVm: (vm: Vm | null) => void;
  /** `settlesIn`: milliseconds after which another look is due, or null. */
  onBundles: (apps: readonly string[], settlesIn: number | null) => Promise<void>;
}): () => Promise<Observation> {
  const { config, configuration, memory, bundles, engine, dataPath, onUser, onVm, onBundles } = parts;
  const observeResolvers = createResolverObserver();
  let macos: Observation['macos'] = unknown('not asked');
  const askContainers = createAtWork(() => longestRunning(engine.client()));
  const ownerOf = createOwners();
  /** Whether the last look needed the processes: then the next one need not wait to know that it does. */
  let neededProcesses = false;
  return async () => {
    // It does not change while a daemon lives.
    if (!macos.known) macos = await macosVersion();
    const early = neededProcesses ? listProcesses() : null;
    const [consoleUser, tapDevice, kext, tapInterface, routes] = await Promise.all([
      observeConsoleUser(),
      observeTapDevice(config.tap.device),
      observeKext(),
      observeTapInterface(config.tap.device),
      observeRoutes(),
    ]);
    const user = consoleUser.known ? consoleUser.value : null;
    const holder = tapInterface.known ? (tapInterface.value?.holder ?? null) : null;
    onUser(user);
    // With nobody in front and the tap free no process matters.
    neededProcesses = user !== null || holder !== null;
    const processes = neededProcesses ? await (early ?? listProcesses()) : seen([]);
    const ofUser = <T>(pick: (list: readonly Process[]) => T): Seen<T> => {
      if (!consoleUser.known) return unknown(consoleUser.why);
      return processes.known ? seen(pick(processes.value)) : unknown(processes.why);
    };
    const now = Date.now();
    const vms = ofUser((list) => pickVms(list, { uid: user?.uid ?? null, holder, now, ...config.tap }));
    const docker = ofUser((list) => (user ? pickDocker(list, user) : []));
    const running = docker.known ? docker.value.map(({ app }) => app) : [];
    const places = [...new Set([...usualApps(config, user), ...(await bundles.touched())])];
    const claimed = claimedApps(places, memory().apps, running);
    const [resolvers, found] = await Promise.all([
      observeResolvers(routes, config.tap.peer),
      bundles.observe(places, { apps: claimed, uid: user?.uid ?? null }),
    ]);
    const vm = vms.known ? seen(vms.value.vm) : vms;
    if (vm.known) onVm(vm.value);
    const owner = vm.known ? await ownerOf(vm.value, user) : vm;
    const there = found.known ? appsThere(found.value) : [];
    await onBundles([...new Set([...places, ...there])], settlesIn(found));
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
      otherVms: vms.known ? vms.value.others : [],
      engine: vm.known && owner.known ? engine.follow(owner.value, vm.value) : engine.last(),
      dataPath: dataPath(),
    };
    const verdict = judgeRestart(config, observation, memory());
    const session = observation.engine.known ? observation.engine.value?.session : undefined;
    return verdict.act === 'wait' && verdict.forContainers && session !== undefined
      ? { ...observation, userContainer: await askContainers(`${session} ${memory().restart.asked}`) }
      : observation;
  };
}
