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
import { addressTap6, unaddressTap6 } from '../mac/tap-ipv6.js';
import { isIpv6 } from '../lib/prefix.js';
import { answersTcp } from '../lib/tcp-probe.js';
import type { MemoryKeeper } from './memory.js';
import type { NamesKeeper } from './names.js';
import { openAgain, quitForRestart, tellUser } from './restart-docker.js';
import type { Way } from '../core/memory.js';
import { type AddRoute, type DeleteRoute, type Executors, isAboutIpv6 } from '../core/steps.js';

/** Hands each kind of step to the room that carries it out, and remembers what has to outlive it. */
export function createExecutors(parts: {
  bundles: BundleRoom;
  engine: EngineLink;
  memory: Pick<MemoryKeeper, 'now' | 'record' | 'learn'>;
  names: Pick<NamesKeeper, 'write' | 'remove'>;
  log: Log;
}): Executors {
  const { bundles, engine, memory, names, log } = parts;

  /** Remembers what was done on the way by one family. */
  const learnOf = (isIpv6Way: boolean, change: Partial<Way>): Promise<void> =>
    memory.learn(isIpv6Way ? { ipv6: { ...memory.now().ipv6, ...change } } : change);

  // What is ours is written down first: a daemon that is killed in between must know its routes again.
  const adding = () =>
    inBatches(async (steps: readonly AddRoute[]) => {
      const added = steps.map(({ subnet, gateway, interface: name }) => ({
        subnet,
        gateway,
        interface: name,
      }));
      const known = new Set(steps.map(({ subnet }) => subnet));
      const others = () => memory.now().ownedRoutes.filter(({ subnet }) => !known.has(subnet));
      await memory.record({ ownedRoutes: [...others(), ...added] });
      const errors = await addRoutes(steps);
      // Those of the other family may have become others meanwhile.
      if (errors.some((error) => error !== null))
        await memory.record({ ownedRoutes: [...others(), ...added.filter((_, index) => !errors[index])] });
      return errors;
    });
  const deleting = () =>
    inBatches(async (steps: readonly DeleteRoute[]) => {
      const errors = await deleteRoutes(steps);
      const gone = new Set(steps.filter((_, index) => !errors[index]).map(({ subnet }) => subnet));
      await memory.record({
        ownedRoutes: memory.now().ownedRoutes.filter(({ subnet }) => !gone.has(subnet)),
      });
      return errors;
    });
  // One table that cannot be read must not fail the routes of the other.
  const [add4, add6, delete4, delete6] = [adding(), adding(), deleting(), deleting()];

  return {
    'load-kext': ({ bundle }) => loadKext(bundle),
    'own-tap-device': ({ path, uid }) => ownTapDevice(path, uid),
    'install-shim': async ({ hyperkit, notice }) => {
      await bundles.install(hyperkit);
      if (notice) await notify(notice.user, 'tuntapd: Docker was updated', notice.text);
    },
    'restore-hyperkit': ({ hyperkit }) => bundles.restore(hyperkit),
    'address-tap': async (step) => {
      const is6 = isAboutIpv6(step);
      const { link } = is6 ? memory.now().ipv6 : memory.now();
      await learnOf(is6, { link: { ...link, attempts: link.attempts + 1 } });
      await (is6 ? addressTap6(step) : addressTap(step));
    },
    'write-resolver': names.write,
    'remove-resolver': names.remove,
    'unaddress-tap': (step) => (isAboutIpv6(step) ? unaddressTap6(step) : unaddressTap(step)),
    'find-nic': (step, signal) =>
      searchNic(step, {
        lookIntoGuest: () => lookIntoGuest(engine.client(), { signal, log: (message) => log.info(message) }),
        speakTo: answersTcp,
        neighboursAt,
        remember: (nics) => memory.learn({ nics }),
      }),
    'prepare-guest': async (step, signal) => {
      // What is half done is to be taken out again, too.
      for (const { vmAddress } of [step, ...(step.ipv6 ? [step.ipv6] : [])])
        await learnOf(isIpv6(vmAddress), { released: null });
      await prepareGuest(
        engine.client(),
        { ...step, signal, log: (message) => log.info(message) },
        (guest, { vmAddress }) => learnOf(isIpv6(vmAddress), { guest }),
      );
    },
    'release-guest': async (step, signal) => {
      await releaseGuest(engine.client(), { ...step, signal });
      await learnOf(isAboutIpv6(step), { guest: null, released: step.session, mayBeSetUp: null });
    },
    'add-route': (step) => (isAboutIpv6(step) ? add6(step) : add4(step)),
    'delete-route': (step) => (isAboutIpv6(step) ? delete6(step) : delete4(step)),
    'quit-docker': (step) => quitForRestart(step, memory),
    'open-docker': (step) => openAgain(step, memory),
    'tell-user': (step) => tellUser(step, memory),
  };
}
