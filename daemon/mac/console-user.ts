import { run } from '../command.js';
import { type ConsoleUser, type Seen, seen, unknown } from '../observation.js';
import { messageOf, plain } from '../text.js';

/** uids below belong to the system: the login window, `_mbsetupuser` and their like. */
const firstPerson = 500;

export type Run = typeof run;

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

/** One attribute of `dscl . -read`: on the key's own line, or, when it holds blanks, on the next. */
export function parseAttribute(text: string, key: string): string | null {
  const lines = text.split('\n');
  const index = lines.findIndex((line) => line.startsWith(`${key}:`));
  if (index < 0) return null;
  const here = (lines[index] ?? '').slice(key.length + 1).trim();
  return here !== '' ? here : (lines[index + 1] ?? '').trim() || null;
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
    const record = await command('/usr/bin/dscl', [
      '.',
      '-read',
      `/Users/${who.name}`,
      'NFSHomeDirectory',
      'PrimaryGroupID',
    ]);
    const home = parseAttribute(record.stdout, 'NFSHomeDirectory');
    const gid = Number(parseAttribute(record.stdout, 'PrimaryGroupID') ?? NaN);
    if (record.exitCode !== 0 || home?.startsWith('/') !== true || !Number.isInteger(gid))
      return unknown(
        `directory services do not tell the home of ${plain(who.name)}: ${plain(record.stderr || record.stdout)}`,
      );
    const user = { ...who, gid, home };
    logins.set(command, user);
    return seen(user);
  } catch (error) {
    return unknown(messageOf(error));
  }
}
