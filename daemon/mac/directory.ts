import { run, type Run } from '../lib/command.js';
import { type ConsoleUser, type Seen, seen, unknown } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';

/**
 * Where a record is looked for: this Mac's own first, which waits for no network; then wherever a login would look
 * (dscl(1): /Search), since an account of Active Directory or LDAP may have none here.
 */
const nodes = ['.', '/Search'] as const;

/** One attribute of `dscl -read`: on the key's own line, or, when it holds blanks, on the next. */
export function parseAttribute(text: string, key: string): string | null {
  const lines = text.split('\n');
  const index = lines.findIndex((line) => line.startsWith(`${key}:`));
  if (index < 0) return null;
  const here = (lines[index] ?? '').slice(key.length + 1).trim();
  return here !== '' ? here : (lines[index + 1] ?? '').trim() || null;
}

/** Parses `dscl -search /Users UniqueID UID`: the name of the record that has exactly this uid, or null. */
export function parseUidSearch(text: string, uid: number): string | null {
  for (const [, name, value] of text.matchAll(/^(\S.*?)\s+UniqueID\s*=\s*\(\s*"?(-?\d+)"?\s*\)/gm))
    if (name !== undefined && Number(value) === uid) return name;
  return null;
}

/** Home and group of the user whose record has this name, from directory services; unknown when it has another uid. */
export async function readUser(
  { name, uid }: Pick<ConsoleUser, 'name' | 'uid'>,
  command: Run = run,
): Promise<Seen<ConsoleUser>> {
  let said = '';
  try {
    for (const node of nodes) {
      const attributes = ['NFSHomeDirectory', 'PrimaryGroupID', 'UniqueID'];
      const record = await command('/usr/bin/dscl', [node, '-read', `/Users/${name}`, ...attributes]);
      const home = parseAttribute(record.stdout, 'NFSHomeDirectory');
      const gid = Number(parseAttribute(record.stdout, 'PrimaryGroupID') ?? NaN);
      const owner = Number(parseAttribute(record.stdout, 'UniqueID') ?? uid);
      if (owner !== uid) {
        said = `the record of this name has uid ${owner}, not ${uid}`;
        continue;
      }
      if (record.exitCode === 0 && home?.startsWith('/') === true && Number.isInteger(gid))
        return seen({ name, uid, gid, home });
      said = plain(record.stderr || record.stdout);
    }
  } catch (error) {
    said = messageOf(error);
  }
  return unknown(`directory services do not tell home and group of ${plain(name)}: ${said}`);
}

/** The user who has this uid, from directory services; `null` when there is none. */
export async function userByUid(uid: number, command: Run = run): Promise<Seen<ConsoleUser | null>> {
  try {
    for (const node of nodes) {
      const found = await command('/usr/bin/dscl', [node, '-search', '/Users', 'UniqueID', String(uid)]);
      if (found.exitCode !== 0)
        return unknown(`dscl does not tell who has uid ${uid}: ${plain(found.stderr)}`);
      const name = parseUidSearch(found.stdout, uid);
      if (name !== null) return await readUser({ name, uid }, command);
    }
    return seen(null);
  } catch (error) {
    return unknown(messageOf(error));
  }
}
