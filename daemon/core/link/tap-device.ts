/** The tap kext and its device: what loads the one and gives the other to whoever runs hyperkit. Pure. */
import { kextApproval } from '../../api/reasons/remedies.js';
import { failed, type Judge, no, unclear, yes } from '../condition.js';
import type { Judgement } from '../judgement.js';
import { type Observation, valueOf } from '../observation.js';
import type { Step } from '../steps.js';
import { heldTap, leftoverWithTap } from './tap-holder.js';

/**
 * Whose `/dev/tapN` should be: the owner's of the VM that holds it (another user in front cannot have it meanwhile, and
 * that VM may have to open it again), else the console user's, else root's. Null: it stays whose it is.
 */
export function tapOwner(observation: Observation): number | null {
  const { consoleUser, tap, vm } = observation;
  if (!consoleUser.known || !tap.interface.known) return null;
  const holder = heldTap(observation)?.vm ?? leftoverWithTap(observation);
  if (holder) return holder.uid;
  if (tap.interface.value && !vm.known) return null;
  if (consoleUser.value) return consoleUser.value.uid;
  return tap.interface.value ? null : 0;
}

/** Loads an installed kext, or gives the device to whoever should have it. */
export function deviceSteps({ observation }: Judgement): Step[] {
  const kext = valueOf(observation.tap.kext);
  const device = valueOf(observation.tap.device);
  if (kext?.state === 'installed' && !device)
    return kext.bundles.map((bundle) => ({
      kind: 'load-kext',
      key: `load-kext ${bundle}`,
      why: 'the tap kext is installed but not loaded',
      bundle,
    }));
  const uid = tapOwner(observation);
  if (!device || uid === null || device.uid === uid) return [];
  const why =
    uid === 0
      ? `nobody is logged in, and ${device.path} belongs to uid ${device.uid}`
      : `${device.path} belongs to uid ${device.uid}; hyperkit opens it as uid ${uid}`;
  return [{ kind: 'own-tap-device', key: `own ${device.path}`, why, path: device.path, uid }];
}

/** Gives the device back to root. */
export function disownSteps({ observation }: Judgement): Step[] {
  const device = valueOf(observation.tap.device);
  if (!device || device.uid === 0) return [];
  const why = 'it goes back to root';
  return [{ kind: 'own-tap-device', key: `own ${device.path}`, why, path: device.path, uid: 0 }];
}

export const tapDevice: Judge<'TapDevice'> = ({ config, observation, memory }, failures) => {
  const { kext, device } = observation.tap;
  const failure = failed('TapDevice', failures);
  if (failure) return failure;
  if (!device.known) return unclear(device.why);
  if (!device.value) {
    if (kext.known && kext.value.state === 'installed')
      return no('KextNotLoaded', `${kext.value.bundles.join(' and ')} is installed but not loaded`);
    return no(
      'KextMissing',
      `/dev/${config.tap.device} does not exist: no tap kext is loaded. Install tuntaposx or Tunnelblick’s tap kext, ` +
        `approve it in ${kextApproval}, and restart the Mac`,
    );
  }
  const { path, uid } = device.value;
  if (memory.wanted === 'removed') return yes('Present', `${path} belongs to uid ${uid}`);
  const owner = tapOwner(observation);
  if (owner !== null && uid !== owner) return no('NotOwned', `${path} does not belong to uid ${owner} yet`);
  return yes('Owned', `${path} belongs to uid ${uid}`);
};
