import { run, type Run } from '../lib/command.js';
import type { ConsoleUser } from '../core/observation.js';
import { plain } from '../lib/text.js';
import { asUser } from './as-user.js';

const script = [
  '-e',
  'on run argv',
  '-e',
  'display notification (item 1 of argv) with title (item 2 of argv)',
  '-e',
  'end run',
];

/** A leading `-` would be taken for an option of osascript's. */
const argument = (text: string): string => plain(text).replace(/^[-\s]+/, '');

/**
 * Shows a notification to the user in front of the Mac. The words travel as arguments, so nothing of them is ever read
 * as AppleScript. Whether it was handed over; nothing may depend on it, since a user can have notifications off.
 */
export async function notify(
  user: ConsoleUser,
  title: string,
  text: string,
  command: Run = run,
): Promise<boolean> {
  const words = ['/usr/bin/osascript', ...script, argument(text), argument(title)] as const;
  return (await asUser(user, words, { timeout: 10_000 }, command)).done;
}
