import { entryOf } from '../../daemon/api/reasons/registry.js';
import { withoutConsequences } from '../../daemon/api/reasons/consequences.js';
import type { Condition, Phase, Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { localTime, painter, printJson, printLine, table } from '../terminal.js';

/** Nothing is to be done: containers answer, or there is no VM to reach, or a person took the link down. */
const healthy: readonly Phase[] = ['ready', 'idle', 'down'];

export const isHealthy = ({ phase }: Status): boolean => healthy.includes(phase);

/**
 * Whether nothing is amiss although this is not True: while there is nothing to do much is missing. What does not work
 * beside addresses that do is amiss.
 */
export const isCalm = (status: Status, { type, reason }: Condition): boolean =>
  isHealthy(status) && !(status.phase === 'ready' && entryOf(type, reason)?.severity === 'degraded');

const nameOf: Readonly<Record<Exclude<Phase, 'ready'>, string>> = {
  idle: 'idle: nothing to do until Docker’s VM runs',
  down: 'down: taken down by hand; `tuntapctl up` brings it back',
  working: 'working: not there yet',
  degraded: 'degraded: something does not work',
  blocked: 'blocked: waits for you',
};

function headline({ phase, conditions }: Status): string {
  if (phase !== 'ready') return nameOf[phase];
  return `ready: ${plain(conditions.find(({ type }) => type === 'Ready')?.message ?? '', 2000)}`;
}

const colourOf = (phase: Phase): 'green' | 'yellow' | 'red' =>
  phase === 'ready' ? 'green' : phase === 'degraded' || phase === 'blocked' ? 'red' : 'yellow';

const ticks = { routed: '✓', pending: '…', waiting: '…', yielded: '✗', refused: '–', foreign: '✗' } as const;

/** The routes as lines; empty without any. */
export const routeLines = (status: Status): string[] =>
  table(
    status.routes.map(({ subnet, network, state, why }) => [
      `  ${ticks[state]} ${plain(subnet, 60)}`,
      plain(network, 80),
      state,
      plain(why, 1000),
    ]),
  );

/** How many names the status shows; all of them are `tuntapctl names`. */
const maxNames = 8;

/** The names beside the addresses that they stand for, as lines; empty without any. */
function nameLines({ names }: Status): string[] {
  if (!names) return [];
  const more = names.names.length + names.more - maxNames;
  const lines = table(
    names.names
      .slice(0, maxNames)
      .map(({ name, addresses }) => [
        `  ${plain(`${name}.${names.zone}`, 100)}`,
        plain(addresses.slice(0, 4).join(' '), 100),
      ]),
  );
  return more > 0 ? [...lines, `  and ${more} more: tuntapctl names`] : lines;
}

function tick({ status }: Condition, calm: boolean): string {
  if (status === 'True') return '✓';
  if (status === 'Unknown') return '?';
  return calm ? '·' : '✗';
}

/** `tuntapctl status`, as text without what merely follows from something else; 0 when healthy, 4 when not. */
export async function status(io: Io, options: { json?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  const code = isHealthy(answer) ? exit.healthy : exit.degraded;
  if (options.json === true) {
    printJson(io, answer);
    return code;
  }
  const paint = painter(io, io.stdout);
  printLine(io.stdout, paint('bold', paint(colourOf(answer.phase), headline(answer))));
  const shown = withoutConsequences(answer.conditions);
  const width = Math.max(0, ...shown.map(({ type }) => plain(type, 40).length));
  for (const condition of shown) {
    const mark = tick(condition, isCalm(answer, condition));
    const colour = mark === '✓' ? 'green' : mark === '✗' ? 'red' : 'yellow';
    const type = plain(condition.type, 40).padEnd(width);
    printLine(io.stdout, `  ${paint(colour, mark)} ${type}  ${plain(condition.message, 2000)}`);
  }
  const routes = routeLines(answer);
  if (routes.length > 0) printLine(io.stdout, ['', 'Routes', ...routes].join('\n'));
  const names = nameLines(answer);
  if (names.length > 0) printLine(io.stdout, ['', 'Names', ...names].join('\n'));
  const facts = `tuntapd ${plain(answer.version, 40)}, pid ${answer.pid}, since ${localTime(answer.since)}`;
  printLine(io.stdout, `\n${paint('dim', facts)}`);
  if (code !== exit.healthy) printLine(io.stdout, 'More: tuntapctl doctor, tuntapctl logs -n 50');
  return code;
}
