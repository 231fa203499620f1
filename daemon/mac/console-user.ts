import { run, type Run } from '../lib/command.js';
import { type ConsoleUser, type Seen, seen, unknown } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';
import { readUser, userByUid } from './directory.js';

/** uids below belong to the system: the login window, `_mbsetupuser` and their like. */
const firstPerson = 500;

/** What directory services said of a session's name and uid, per way of asking: it does not change during a login. */
const logins = new WeakMap<Run, { session: string; user: ConsoleUser }>();

/** The value of `key`, where it first stands: what follows may be a user's own words. */
const valueOf = (text: string, key: string): string | undefined =>
  new RegExp(`^[ \\t]*${key}[ \\t]*:[ \\t]*(\\S.*?)[ \\t]*$`, 'm').exec(text)?.[1];

/** The sessions of `SessionInfo`, one text each. */
const sessionsOf = (text: string): string[] =>
  [...text.matchAll(/^[ \t]*\d+[ \t]*:[ \t]*<dictionary> \{\n([^}]*)\}/gm)].map(([, keys = '']) => keys);

/**
 * Name and uid of the session in front, from scutil's `show State:/Users/ConsoleUser`; null when nobody is logged in.
 * `Name` and `UID` at the top are those of the last login, which may be one by screen sharing: the session with
 * `kCGSSessionOnConsoleKey` has the screen. The name may be a full name or a mail address that no record has.
 */
export function parseConsoleUser(text: string): { name: string; uid: number } | null {
  const inFront = sessionsOf(text).find((keys) => valueOf(keys, 'kCGSSessionOnConsoleKey') === 'TRUE');
  const uid = Number(inFront === undefined ? valueOf(text, 'UID') : valueOf(inFront, 'kCGSSessionUserIDKey'));
  const named = inFront === undefined ? undefined : valueOf(inFront, 'kCGSSessionUserNameKey');
  const name = named ?? (Number(valueOf(text, 'UID')) === uid ? valueOf(text, 'Name') : undefined);
  if (name === undefined || name === 'loginwindow' || !Number.isInteger(uid) || uid < firstPerson)
    return null;
  return { name, uid };
}

/** The record of a session's user: the uid decides, and the name only where no record can be searched for. */
async function recordOf(who: Pick<ConsoleUser, 'name' | 'uid'>, command: Run): Promise<Seen<ConsoleUser>> {
  const found = await userByUid(who.uid, command);
  return found.known && found.value ? seen(found.value) : readUser(who, command);
}

/** Who is in front of the Mac, with name, home and group from directory services; null at the login window. */
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
    const session = `${who.uid} ${who.name}`;
    const login = logins.get(command);
    if (login?.session === session) return seen(login.user);
    const user = await recordOf(who, command);
    if (user.known) logins.set(command, { session, user: user.value });
    return user;
  } catch (error) {
    return unknown(messageOf(error));
  }
}
