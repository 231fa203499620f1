import { inBatches } from '../lib/batch.js';
import type { BundleRoom } from '../docker-app/bundles.js';
import type { EngineLink } from './engine.js';
import { lookIntoGuest, prepareGuest, releaseGuest } from '../guest/link-end.js';
import type { Log } from './log.js';
import { searchNic } from './find-nic.js';
import { loadKext } from '../mac/kext.js';
import { neighboursAt } from '../mac/neighbours.js';
import { notify } from '../mac/notify.js';
import { addRoutes, deleteRoutes } from '../mac/routes.js';
import { ownTapDevice } from '../mac/tap-device.js';
import { addressTap, unaddressTap } from '../mac/tap-interface.js';
import { answersTcp } from '../lib/tcp-probe.js';
import type { MemoryKeeper } from './memory.js';
import type { NamesKeeper } from './names.js';
import { openAgain, quitForRestart, tellUser } from './restart-docker.js';
import type { AddRoute, DeleteRoute, Executors } from '../core/steps.js';

/** Hands each kind of step to the room that carries it out, and remembers what has to outlive it. */
export function createExecutors(parts: {
  bundles: BundleRoom;
  engine: EngineLink;
  memory: Pick<MemoryKeeper, 'now' | 'record' | 'learn'>;
  names: Pick<NamesKeeper, 'write' | 'remove'>;
  log: Log;
}): Executors {
  const { bundles, engine, memory, names, log } = parts;
  return {
    'load-kext': ({ bundle }) => loadKext(bundle),
    'own-tap-device': ({ path, uid }) => ownTapDevice(path, uid),
    'install-shim': async ({ hyperkit, notice }) => {
      await bundles.install(hyperkit);
      if (notice) await notify(notice.user, 'tuntapd: Docker was updated', notice.text);
    },
    'restore-hyperkit': ({ hyperkit }) => bundles.restore(hyperkit),
    'address-tap': async (step) => {
      const { link } = memory.now();
      await memory.learn({ link: { ...link, attempts: link.attempts + 1 } });
      await addressTap(step);
    },
    'write-resolver': names.write,
    'remove-resolver': names.remove,
    'unaddress-tap': (step) => unaddressTap(step),
    'find-nic': (step, signal) =>
      searchNic(step, {
        lookIntoGuest: () => lookIntoGuest(engine.client(), { signal, log: (message) => log.info(message) }),
        speakTo: answersTcp,
        neighboursAt,
        remember: (nics) => memory.learn({ nics }),
      }),
    'prepare-guest': async (step, signal) => {
      // What is half done is to be taken out again, too.
      await memory.learn({ released: null });
      const guest = await prepareGuest(engine.client(), {
        ...step,
        signal,
        log: (message) => log.info(message),
      });
      await memory.learn({ guest });
    },
    'release-guest': async (step, signal) => {
      await releaseGuest(engine.client(), { ...step, signal });
      await memory.learn({ guest: null, released: step.session, mayBeSetUp: null });
    },
    // What is ours is written down first: a daemon that is killed in between must know its routes again.
    'add-route': inBatches(async (steps: readonly AddRoute[]) => {
      const added = steps.map(({ subnet, gateway, interface: name }) => ({
        subnet,
        gateway,
        interface: name,
      }));
      const known = new Set(steps.map(({ subnet }) => subnet));
      const before = memory.now().ownedRoutes.filter(({ subnet }) => !known.has(subnet));
      await memory.record({ ownedRoutes: [...before, ...added] });
      const errors = await addRoutes(steps);
      if (errors.some((error) => error !== null))
        await memory.record({ ownedRoutes: [...before, ...added.filter((_, index) => !errors[index])] });
      return errors;
    }),
    'delete-route': inBatches(async (steps: readonly DeleteRoute[]) => {
      const errors = await deleteRoutes(steps);
      const gone = new Set(steps.filter((_, index) => !errors[index]).map(({ subnet }) => subnet));
      await memory.record({
        ownedRoutes: memory.now().ownedRoutes.filter(({ subnet }) => !gone.has(subnet)),
      });
      return errors;
    }),
    'quit-docker': (step) => quitForRestart(step, memory),
    'open-docker': (step) => openAgain(step, memory),
    'tell-user': (step) => tellUser(step, memory),
  };
}
