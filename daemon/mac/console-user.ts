import { run, type Run } from '../command.js';
import { type ConsoleUser, type Seen, seen, unknown } from '../observation.js';
import { messageOf, plain } from '../text.js';
import { readUser } from './directory.js';

/** uids below belong to the system: the login window, `_mbsetupuser` and their like. */
const firstPerson = 500;

/** What directory services said of the user who is logged in, per way of asking: it does not change during a login. */
const logins = new WeakMap<Run, ConsoleUser>();

/** `Name` and `UID` of scutil's `show State:/Users/ConsoleUser`; null when nobody is logged in. */
export function parseConsoleUser(text: string): { name: string; uid: number } | null {
  const value = (key: string): string | undefined =>
    new RegExp(`^[ \\t]*${key}[ \\t]*:[ \\t]*(\\S.*?)[ \\t]*$`, 'm').exec(text)?.[1];
  const name = value('Name');
  const uid = Number(value('UID'));
  if (name === undefined || name === 'loginwindow' || !Number.isInteger(uid) || uid < firstPerson)
    return null;
  return { name, uid };
}

/** Who is in front of the Mac, with home and group from directory services; null at the login window. */
export async function observeConsoleUser(command: Run = run): Promise<Seen<ConsoleUser | null>> {
  try {
    const asked = await command('/usr/sbin/scutil', [], { input: 'show State:/Users/ConsoleUser\n' });
    // Silence or an error is no empty login window.
    if (asked.exitCode !== 0 || !/^\s*(?:<dictionary>|No such key)/.test(asked.stdout))
      return unknown(`scutil does not tell who is logged in: ${plain(asked.stderr || asked.stdout)}`);
    const who = parseConsoleUser(asked.stdout);
    if (!who) {
      logins.delete(command);
      return seen(null);
    }
    const login = logins.get(command);
    if (login?.name === who.name && login.uid === who.uid) return seen(login);
    const user = await readUser(who, command);
    if (user.known) logins.set(command, user.value);
    return user;
  } catch (error) {
    return unknown(messageOf(error));
  }
}
