import { lstat } from 'node:fs/promises';
import { run } from '../command.js';
import { type Kext, type Seen, seen } from '../observation.js';
import { StepError } from '../steps.js';
import { plain } from '../text.js';
import type { Run } from './console-user.js';

/** Where tuntaposx and Tunnelblick (11+) put their kexts. */
export const kextPlaces = ['/Library/Extensions/tap.kext', '/Library/Extensions/tunnelblick-tap.kext'];

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** Whether a tap kext is loaded: /dev/tap0 is there exactly while one is (tuntap_mgr.cc). */
export async function observeKext(): Promise<Seen<Kext>> {
  let bundle: string | null = null;
  for (const place of kextPlaces) if (bundle === null && (await exists(place))) bundle = place;
  if (await exists('/dev/tap0')) return seen({ state: 'loaded', bundle });
  return seen({ state: bundle === null ? 'absent' : 'installed', bundle });
}

/** kKextloadExitSystemPolicy (kextload_main.h) */
const refusedByPolicy = 27;

/** Loads an installed kext. Throws a blocked StepError when macOS wants a person's approval first. */
export async function loadKext(bundle: string, command: Run = run): Promise<void> {
  const { exitCode, stdout, stderr } = await command('/sbin/kextload', [bundle], { timeout: 60_000 });
  if (await exists('/dev/tap0')) return;
  const said = plain(`${stderr} ${stdout}`);
  if (exitCode === refusedByPolicy || /system policy|not approved|-603946981/.test(said))
    throw new StepError(
      `macOS does not load ${bundle}: ${said}. Allow it in System Settings > Privacy & Security, then restart the Mac`,
      { reason: 'KextNotApproved', blocked: true },
    );
  throw new StepError(
    `${bundle} could not be loaded (kextload ended with ${exitCode}): ${said || 'it said nothing'}`,
    { reason: 'KextNotLoaded', blocked: true },
  );
}
