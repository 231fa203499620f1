import { run } from '../command.js';
import { type ConsoleUser, type Seen, seen, unknown } from '../observation.js';
import { messageOf, plain } from '../text.js';
import { parseAttribute, type Run } from './console-user.js';

/** Parses `dscl . -search /Users UniqueID UID`: the name of the record that has exactly this uid, or null. */
export function parseUidSearch(text: string, uid: number): string | null {
  for (const [, name, value] of text.matchAll(/^(\S+)\s+UniqueID\s*=\s*\(\s*"?(-?\d+)"?\s*\)/gm))
    if (name !== undefined && Number(value) === uid) return name;
  return null;
}

/** The user who has this uid, from directory services; `null` when there is none. */
export async function userByUid(uid: number, command: Run = run): Promise<Seen<ConsoleUser | null>> {
  const dscl = '/usr/bin/dscl';
  try {
    const found = await command(dscl, ['.', '-search', '/Users', 'UniqueID', String(uid)]);
    if (found.exitCode !== 0) return unknown(`dscl does not tell who has uid ${uid}: ${plain(found.stderr)}`);
    const name = parseUidSearch(found.stdout, uid);
    if (name === null) return seen(null);
    const { stdout } = await command(dscl, [
      '.',
      '-read',
      `/Users/${name}`,
      'NFSHomeDirectory',
      'PrimaryGroupID',
    ]);
    const home = parseAttribute(stdout, 'NFSHomeDirectory');
    const gid = Number(parseAttribute(stdout, 'PrimaryGroupID') ?? NaN);
    if (home?.startsWith('/') !== true || !Number.isInteger(gid))
      return unknown(`directory services do not tell home and group of ${plain(name)}`);
    return seen({ name, uid, gid, home });
  } catch (error) {
    return unknown(messageOf(error));
  }
}
