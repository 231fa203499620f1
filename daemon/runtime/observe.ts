import type { Config } from '../../config/schema.js';
import {
  type ConsoleUser,
  kindOf,
  type Observation,
  type Seen,
  seen,
  unknown,
  type Vm,
} from '../core/observation.js';
import type { RestartMemory } from '../core/docker/restart-memory.js';
import { followedVm } from '../core/docker/runtime.js';
import { wantsSetting } from '../core/link/vmnet.js';
import type { Contexts } from '../guest/contexts.js';
import type { Settings } from '../guest/settings.js';
import type { BundleRoom } from '../docker-app/bundles.js';
import { run, type Run } from '../lib/command.js';
import { observeBridges } from '../mac/bridges.js';
import { observeConsoleUser } from '../mac/console-user.js';
import { userByUid } from '../mac/directory.js';
import { observeKext } from '../mac/kext.js';
import { macosVersion } from '../mac/macos.js';
import { createResolverObserver } from '../mac/resolvers.js';
import { observeRoutes } from '../mac/routes.js';
import { observeTapDevice } from '../mac/tap-device.js';
import { observeTapInterface } from '../mac/tap-interface.js';
import { observeBundles } from './observe-bundles.js';
import { observeRuntimes } from './observe-runtimes.js';
import { pickVms } from '../vm/find.js';
import { pickMachines } from '../vm/machines.js';
import { listProcesses, pickDocker, type Process } from '../vm/processes.js';

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

/** What is seen without a word of the engine's, and what of it tells whom to follow. */
export interface Sight {
  readonly mac: Omit<Observation, 'configuration' | 'engine' | 'dataPath' | 'names' | 'userContainer'>;
  /** Whose the VM is. */
  readonly owner: Seen<ConsoleUser | null>;
  /** Where a Docker.app is or may come to be. */
  readonly places: readonly string[];
}

/**
 * Reads the world by way of every room; changes nothing. `apps`: Docker.apps in unusual places that are remembered;
 * `owed`: the Docker that was quit and is to be opened again; `looksAtIpv6`: whether its table is read too.
 */
export function createObserver(parts: {
  config: Config;
  apps: () => readonly string[];
  owed: () => RestartMemory['reopen'];
  looksAtIpv6: () => boolean;
  bundles: Pick<BundleRoom, 'observe' | 'touched'>;
  contexts: Pick<Contexts, 'read'>;
  settings: Settings;
  /** Asks `scutil --dns`. */
  dns: Run;
}): () => Promise<Sight> {
  const { config, apps, owed, looksAtIpv6, bundles, contexts, settings, dns } = parts;
  const observeResolvers = createResolverObserver(dns);
  let macos: Observation['macos'] = unknown('not asked');
  const ownerOf = createOwners();
  /** Whether the last look needed the processes: then the next one need not wait to know that it does. */
  let neededProcesses = false;
  return async () => {
    // It does not change while a daemon lives.
    if (!macos.known) macos = await macosVersion();
    const early = neededProcesses ? listProcesses() : null;
    const [consoleUser, device, kext, tapInterface, routes, routes6] = await Promise.all([
      observeConsoleUser(),
      observeTapDevice(config.tap.device),
      config.link === 'vmnet' ? unknown('link is "vmnet", which needs no kext') : observeKext(),
      observeTapInterface(config.tap.device),
      observeRoutes(),
      looksAtIpv6() ? observeRoutes(run, 6) : null,
    ]);
    const user = consoleUser.known ? consoleUser.value : null;
    const holder = tapInterface.known ? (tapInterface.value?.holder ?? null) : null;
    // With nobody in front and the tap free no process matters.
    neededProcesses = user !== null || holder !== null;
    const processes = neededProcesses ? await (early ?? listProcesses()) : seen([]);
    const ofUser = <T>(pick: (list: readonly Process[]) => T): Seen<T> => {
      if (!consoleUser.known) return unknown(consoleUser.why);
      return processes.known ? seen(pick(processes.value)) : unknown(processes.why);
    };
    const now = Date.now();
    // A VM that can have no tap is none, where nothing but a tap is wanted.
    const hyperkitOnly = config.link === 'tap';
    const vms = ofUser((list) =>
      pickVms(list, { uid: user?.uid ?? null, holder, now, hyperkitOnly, ...config.tap }),
    );
    const docker = ofUser((list) => (user ? pickDocker(list, user) : []));
    const machines = ofUser((list) => (user && !hyperkitOnly ? pickMachines(list, user) : []));
    const runtimes =
      vms.known && docker.known && machines.known
        ? await observeRuntimes({
            config,
            user,
            desktop: {
              vm: vms.value.vm,
              runs: docker.value.length > 0,
              isOwed: user !== null && owed()?.uid === user.uid,
            },
            machines: machines.value,
            contexts,
          })
        : undefined;
    const running = docker.known ? docker.value.map(({ app }) => app) : [];
    const { vm, others } = followedVm(config, vms, runtimes);
    const mayShare = vm.known && vm.value !== null && kindOf(vm.value) === 'virtualization';
    const [resolvers, { found, places }, vmnet] = await Promise.all([
      observeResolvers(routes, config.tap.peer),
      observeBundles({ config, user, remembered: apps(), running, bundles }),
      mayShare ? observeBridges() : { bridges: seen([]) },
    ]);
    const owner = vm.known ? await ownerOf(vm.value, user) : vm;
    const at = Date.now();
    const whose = owner.known ? owner.value : null;
    const setting =
      vm.known && vm.value && whose && wantsSetting({ at, vm, vmnet, macos })
        ? settings.kernelForUdp(whose, vm.value.id)
        : null;
    return {
      mac: {
        at,
        macos,
        consoleUser,
        tap: { device, kext, interface: tapInterface },
        vmnet: { ...vmnet, ...(setting && { setting }) },
        routes,
        ...(routes6 && { ipv6: { routes: routes6 } }),
        resolvers,
        bundles: found,
        vm,
        docker,
        ...(runtimes && { runtimes }),
        otherVms: others,
      },
      owner,
      places,
    };
  };
}
