import type { CommandResult } from '../daemon/lib/command.js';
import { exitTimeout } from './io.github.tuntapd.plist.js';
import { label } from '../daemon/lib/layout.js';
import { Problem } from './problem.js';

/** The parts of the outside that are asked for; tests bring a launchd of their own. */
export interface Outside {
  readonly run: (file: string, args: readonly string[]) => Promise<CommandResult>;
  /** Resolves after that many milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>;
}

const launchctl = '/bin/launchctl';
const service = `system/${label}`;
/** Bootout's own words for "it is not there": ESRCH, and 113 for an unknown service. */
const notLoaded = [3, 113];
const inProgress = 36;
/** Bootstrap right after a bootout: EIO while the old one is draining, 37 while another operation runs. */
const passing = [5, 37];
const disabled = 119;
/** Kickstart of what runs already, which is no failure: EALREADY. */
const running = 37;

const words = ({ stdout, stderr, exitCode }: CommandResult): string =>
  `${stderr}${stdout}`.trim() || `exit status ${exitCode}`;

/** Whether launchd knows the daemon, running or not. */
export async function isLoaded(outside: Outside): Promise<boolean> {
  return (await outside.run(launchctl, ['print', service])).exitCode === 0;
}

/**
 * Takes the daemon out of launchd and returns when it is really gone, for a bootstrap before that fails with
 * `5: Input/output error`. Does nothing when it is not loaded. Throws Problem when it stays.
 */
export async function unload(outside: Outside): Promise<void> {
  if (!(await isLoaded(outside))) return;
  const result = await outside.run(launchctl, ['bootout', service]);
  const going = [0, inProgress, ...notLoaded].includes(result.exitCode);
  const step = 250;
  for (let waited = 0; waited <= (exitTimeout + 10) * 1000; waited += step) {
    if (!(await isLoaded(outside))) return;
    await outside.pause(step);
  }
  throw new Problem(
    `launchctl bootout ${service} ${going ? 'was accepted, but the daemon is still there' : `said: ${words(result)}`}. ` +
      `Look at it with: sudo launchctl print ${service}`,
  );
}

/** A row of ours in `launchctl print-disabled`. */
const ownRow = new RegExp(`^\\s*"${label.replaceAll('.', '\\.')}" => (.*)$`, 'm');
/** What it says of a service that is not disabled: up to macOS 12, and from 13 on. */
const notDisabled = ['false', 'enabled'];

async function forceEnable(outside: Outside): Promise<void> {
  const result = await outside.run(launchctl, ['enable', service]);
  if (result.exitCode !== 0) throw new Problem(`launchctl enable ${service} said: ${words(result)}`);
}

/**
 * Forgets a `launchctl disable` of earlier times: it survives an uninstall, and bootstrap then fails with 119. Without
 * one nothing is done: launchd would remember for good that the service is enabled.
 */
export async function enable(outside: Outside): Promise<void> {
  const list = await outside.run(launchctl, ['print-disabled', 'system']);
  const [, said] = ownRow.exec(list.stdout) ?? [];
  if (list.exitCode === 0 && (said === undefined || notDisabled.includes(said.trim()))) return;
  await forceEnable(outside);
}

/** Gives the plist to launchd and starts the daemon. It must not be loaded. Throws Problem with launchd's words. */
export async function load(outside: Outside, plist: string): Promise<void> {
  await enable(outside);
  for (let attempt = 1; ; attempt += 1) {
    const result = await outside.run(launchctl, ['bootstrap', 'system', plist]);
    if (result.exitCode === 0) break;
    const again = passing.includes(result.exitCode) || result.exitCode === disabled;
    if (!again || attempt === 10)
      throw new Problem(
        `launchctl bootstrap system ${plist} said: ${words(result)} (tried ${attempt} times). ` +
          'launchd takes a plist only when it is owned by root, mode 0644, in a folder that is root’s alone, and on ' +
          'macOS 13 and newer not while it is switched off in System Settings > General > Login Items.',
      );
    if (result.exitCode === disabled) await forceEnable(outside);
    await outside.pause(1000);
    // Someone else (a login item manager, a second `make`) may have loaded it meanwhile, which is a 5 as well.
    if (await isLoaded(outside)) await unload(outside);
  }
  const kick = await outside.run(launchctl, ['kickstart', service]);
  if (![0, running].includes(kick.exitCode))
    throw new Problem(`launchctl kickstart ${service} said: ${words(kick)}`);
}
