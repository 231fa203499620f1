import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { BundleRoom } from './docker-app/bundles.js';
import type { EngineLink } from './engine-link.js';
import { observeConsoleUser } from './mac/console-user.js';
import { observeKext } from './mac/kext.js';
import { createResolverObserver } from './mac/resolvers.js';
import { observeRoutes } from './mac/routes.js';
import { observeTapDevice } from './mac/tap-device.js';
import { observeTapInterface } from './mac/tap-interface.js';
import {
  type Bundles,
  type Configuration,
  type ConsoleUser,
  type Observation,
  type Seen,
  unknown,
  type Vm,
} from './observation.js';
import { observeVm } from './vm/find.js';

/** Every place where a Docker.app may be, the configured one first. */
const apps = (config: Config, user: ConsoleUser | null): string[] => [
  ...(config.docker.app === undefined ? [] : [config.docker.app]),
  '/Applications/Docker.app',
  ...(user ? [join(user.home, 'Applications/Docker.app')] : []),
];

/** Milliseconds until a bundle that is being replaced may be settled; null when time alone settles none. */
function settlesIn(bundles: Seen<Bundles>): number | null {
  const times = (bundles.known ? bundles.value.replacing : []).flatMap(({ settlesIn: time }) => time ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

/** Reads the world by way of every room; changes nothing. The `on…` are told who and what is there. */
export function createObserver(parts: {
  config: Config;
  configuration: () => Configuration;
  bundles: BundleRoom;
  engine: EngineLink;
  onUser: (user: ConsoleUser | null) => void;
  onVm: (vm: Vm | null) => void;
  /** `settlesIn`: milliseconds after which another look is due, or null. */
  onBundles: (apps: readonly string[], settlesIn: number | null) => Promise<void>;
}): () => Promise<Observation> {
  const { config, configuration, bundles, engine, onUser, onVm, onBundles } = parts;
  const observeResolvers = createResolverObserver();
  return async () => {
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
    const places = apps(config, user);
    const [resolvers, found, vm] = await Promise.all([
      observeResolvers(routes, config.tap.peer),
      bundles.observe(places),
      consoleUser.known
        ? observeVm({ user, holder, device: config.tap.device })
        : Promise.resolve(unknown(consoleUser.why)),
    ]);
    if (vm.known) onVm(vm.value);
    await onBundles(places, settlesIn(found));
    return {
      configuration: configuration(),
      consoleUser,
      tapDevice,
      kext,
      tapInterface,
      routes,
      resolvers,
      bundles: found,
      vm,
      engine: vm.known ? engine.follow(user, vm.value) : engine.last(),
    };
  };
}
