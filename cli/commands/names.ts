import type { Names, Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { printJson, printLine, table } from '../terminal.js';

/** Why there is no name to show: what the condition about names says. */
function whyNone({ vm, conditions }: Status): string {
  if (vm === null) return 'Docker’s VM does not run';
  const found = conditions.find(({ type }) => type === 'Names');
  return found ? plain(found.message, 1000) : 'this daemon knows no names';
}

/** Why macOS does not find them; nothing where it does. */
function notFound({ conditions }: Status): string[] {
  const told = conditions.find(({ type }) => type === 'Names');
  if (!told || told.status === 'True') return [];
  const what = told.status === 'False' ? 'macOS does not find these names: ' : '';
  return ['', `! ${what}${plain(told.message, 1000)} (see tuntapctl doctor TT120)`];
}

/** The names as lines, and then what stands against any. */
function linesOf({ zone, names, more, problems }: Names): string[] {
  const lines = table(
    names.map(({ name, addresses, of }) => [
      plain(`${name}.${zone}`, 260),
      plain(addresses.slice(0, 8).join(' ') + (addresses.length > 8 ? ' …' : ''), 400),
      plain(of, 200),
    ]),
  );
  if (more > 0) lines.push(`and ${more} more`);
  if (problems.length > 0) lines.push('', ...problems.map((problem) => `! ${plain(problem, 1000)}`));
  return lines;
}

/** `tuntapctl names`: every name that containers have, its addresses, and what it stands for. */
export async function names(io: Io, options: { json?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  const known = answer.names ?? null;
  if (options.json === true) printJson(io, known);
  else if (!known || known.names.length + known.problems.length === 0)
    printLine(io.stdout, `No container has a name (${whyNone(answer)}).`);
  else for (const line of [...linesOf(known), ...notFound(answer)]) printLine(io.stdout, line);
  return exit.healthy;
}
