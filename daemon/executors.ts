import type { Config } from '../config/schema.js';
import type { BundleRoom } from './docker-app/bundles.js';
import type { EngineLink } from './engine-link.js';
import { prepareGuest, releaseGuest } from './guest/helper.js';
import type { Log } from './log.js';
import { loadKext } from './mac/kext.js';
import { addRoute, deleteRoute } from './mac/routes.js';
import { ownTapDevice } from './mac/tap-device.js';
import { addressTap, unaddressTap } from './mac/tap-interface.js';
import type { MemoryKeeper } from './memory.js';
import type { Executors } from './steps.js';

/** Hands each kind of step to the room that carries it out, and remembers what has to outlive it. */
export function createExecutors(parts: {
  config: Config;
  bundles: BundleRoom;
  engine: EngineLink;
  memory: MemoryKeeper;
  log: Log;
}): Executors {
  const { config, bundles, engine, memory, log } = parts;
  return {
    'load-kext': ({ bundle }) => loadKext(bundle),
    'own-tap-device': ({ path, uid }) => ownTapDevice(path, uid),
    'install-shim': ({ hyperkit }) => bundles.install(hyperkit),
    'restore-hyperkit': ({ hyperkit }) => bundles.restore(hyperkit),
    'address-tap': (step) => addressTap(step),
    'unaddress-tap': (step) => unaddressTap(step),
    'prepare-guest': async (step) => {
      const guest = await prepareGuest(engine.client(), {
        ...step,
        image: config.guest.image,
        pull: config.guest.pull,
        log: (message) => log.info(message),
      });
      await memory.change({ guest, released: null });
    },
    'release-guest': async (step) => {
      await releaseGuest(engine.client(), step);
      await memory.change({ guest: null, released: step.session });
    },
    'add-route': async (step) => {
      await addRoute(step);
      await memory.change({ ownedRoutes: [...new Set([...memory.now().ownedRoutes, step.subnet])] });
    },
    'delete-route': async (step) => {
      await deleteRoute(step);
      await memory.change({
        ownedRoutes: memory.now().ownedRoutes.filter((subnet) => subnet !== step.subnet),
      });
    },
  };
}
