import { cleanEnvironment, run, type Run } from '../lib/command.js';
import type { ConsoleUser } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';

/** Whether something asked of the user's session was done; if not, why. */
export type Outcome = { readonly done: true } | { readonly done: false; readonly why: string };

/**
 * sudo keeps LC_ALL and TZ (macOS's sudoers), and an app inherits the environment of whoever opens it (open(1)): Docker
 * would go on in our locale and time zone instead of the user's.
 */
const env = { PATH: cleanEnvironment.PATH };

/**
 * Runs a command in a user's own session, as that user, who is named by uid (sudo(8): `-u #uid`): `launchctl asuser` alone changes the bootstrap namespace but
 * keeps root's credentials, and without it a daemon's osascript finds no window server. Never throws.
 */
export async function asUser(
  user: ConsoleUser,
  words: readonly [string, ...string[]],
  options: { timeout: number },
  command: Run = run,
): Promise<Outcome> {
  const args = ['asuser', String(user.uid), '/usr/bin/sudo', '-u', `#${user.uid}`, ...words];
  try {
    const { exitCode, stdout, stderr } = await command('/bin/launchctl', args, { ...options, env });
    if (exitCode === 0) return { done: true };
    return { done: false, why: plain(stderr || stdout) || `${words[0]} ended with ${exitCode}` };
  } catch (error) {
    return { done: false, why: messageOf(error) };
  }
}
