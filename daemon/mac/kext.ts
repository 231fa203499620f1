import { lstat } from 'node:fs/promises';
import { run, type Run } from '../command.js';
import { type Kext, type Seen, seen, unknown } from '../observation.js';
import { StepError } from '../steps.js';
import { messageOf, plain } from '../text.js';

/** Where tuntaposx and Tunnelblick (11+) put their kexts. */
export const kextPlaces = ['/Library/Extensions/tap.kext', '/Library/Extensions/tunnelblick-tap.kext'];

/** Throws what is no answer: a folder that cannot be read does not lack the kext. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Whether a tap kext is loaded: /dev/tap0 is there exactly while one is (tuntap_mgr.cc). */
export async function observeKext(): Promise<Seen<Kext>> {
  try {
    let bundle: string | null = null;
    for (const place of kextPlaces) if (bundle === null && (await exists(place))) bundle = place;
    if (await exists('/dev/tap0')) return seen({ state: 'loaded', bundle });
    return seen({ state: bundle === null ? 'absent' : 'installed', bundle });
  } catch (error) {
    return unknown(messageOf(error));
  }
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
      { reason: 'KextNotApproved', blocked: true, once: true },
    );
  throw new StepError(
    `${bundle} could not be loaded (kextload ended with ${exitCode}): ${said || 'it said nothing'}`,
    { reason: 'KextNotLoaded', blocked: true, once: true },
  );
}
