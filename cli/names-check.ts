import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../daemon/api/messages.js';
import { readLogs } from '../daemon/api/reasons/remedies.js';
import { portIn } from '../daemon/lib/resolver-text.js';
import { type Answer, fail, pass, unclear } from './answer.js';
import type { Io } from './io.js';

const moreOfIt = 'tuntapctl doctor TT120';

/** Whether the server that macOS is sent to has, for one of the names, the addresses that the daemon tells. */
export async function namesAnswer({ layout, lookUp }: Io, { names, conditions }: Status): Promise<Answer> {
  const told = conditions.find(({ type }) => type === 'Names');
  if (told && told.status !== 'True') return unclear('names do not work now', moreOfIt);
  if (!names) return pass('there are to be no names');
  const [first] = names.names;
  if (!first) return pass('no container has a name now');
  const path = join(layout.resolvers, names.zone);
  const port = portIn(await readFile(path, 'utf8'));
  if (port === null) return unclear(`${path} is not tuntapd’s`, moreOfIt);
  const host = `${first.name}.${names.zone}`;
  const server = `127.0.0.1, port ${port},`;
  try {
    const found = await lookUp(host, port);
    return found.every((address) => first.addresses.includes(address))
      ? pass(`${host} is ${found.join(' ')}`)
      : fail(
          `${server} has ${found.join(' ')} for ${host}, which is ${first.addresses.join(' ')}`,
          readLogs.command,
        );
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    return fail(`${server} does not answer for ${host} (${code})`, readLogs.command);
  }
}
