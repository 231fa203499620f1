import { lstat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { kextApproval } from '../api/reasons/remedies.js';
import { run, type Run } from '../lib/command.js';
import { type Kext, type Seen, seen, unknown } from '../core/observation.js';
import { StepError } from '../core/steps.js';
import { messageOf, plain } from '../lib/text.js';

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

/** /dev/tap0 is there exactly while a tap kext is loaded (tuntap_mgr.cc). */
const isLoaded = (): Promise<boolean> => exists('/dev/tap0');

/** Whether a tap kext is loaded, and which are installed. */
export async function observeKext(): Promise<Seen<Kext>> {
  try {
    const bundles: string[] = [];
    for (const place of kextPlaces) if (await exists(place)) bundles.push(place);
    if (await isLoaded()) return seen({ state: 'loaded', bundles });
    return seen({ state: bundles.length === 0 ? 'absent' : 'installed', bundles });
  } catch (error) {
    return unknown(messageOf(error));
  }
}

/** kKextloadExitSystemPolicy (kextload_main.h) */
const refusedByPolicy = 27;

/**
 * The driver was linked and refused to start: where another one has its place (VirtualBox's, an older tap) it does until
 * the next boot (Tunnelblick/Tunnelblick#520).
 */
const startFailed = /start(\/stop)? (routine )?failed/;

/** `kextload` fails while the system is busy at boot, and can say that it loaded what it did not: Tunnelblick, too, tries so often. */
const maxTries = 5;

/**
 * Loads an installed kext, unless one is loaded by now; tried again after `pause` ms, a few times. Throws a blocked
 * StepError when macOS wants a person's approval first: that is asked for once, since each try shows a dialog.
 */
export async function loadKext(
  bundle: string,
  parts: { command?: Run; loaded?: () => Promise<boolean>; pause?: number } = {},
): Promise<void> {
  const { command = run, loaded = isLoaded, pause = 1000 } = parts;
  let words = '';
  for (let attempt = 1; attempt <= maxTries; attempt += 1) {
    if (await loaded()) return;
    const { exitCode, stdout, stderr } = await command('/sbin/kextload', [bundle], { timeout: 60_000 });
    if (await loaded()) return;
    const said = plain(`${stderr} ${stdout}`);
    if (exitCode === refusedByPolicy || /system policy|not approved|-603946981/.test(said))
      throw new StepError(
        `macOS does not load ${bundle}: ${said}. Allow it in ${kextApproval}, then restart the Mac`,
        { condition: 'TapDevice', reason: 'KextNotApproved', blocked: true, once: true },
      );
    words = `(kextload ended with ${exitCode}): ${said || 'it said nothing'}`;
    await sleep(pause);
  }
  if (await loaded()) return;
  const advice = startFailed.test(words)
    ? '. Another program’s driver (VirtualBox’s, another VPN’s tap) may be in the way: restart the Mac'
    : '';
  throw new StepError(`${bundle} could not be loaded, tried ${maxTries} times ${words}${advice}`, {
    condition: 'TapDevice',
    reason: 'KextNotLoaded',
    blocked: true,
    once: true,
  });
}
