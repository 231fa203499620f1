/** What `tuntapctl status` shows of a status: lines for a terminal of some width at some moment. Pure. */
import type { Config } from '../config/schema.js';
import type { Condition, Phase, Status } from '../daemon/api/messages.js';
import { causeOf, withoutConsequences } from '../daemon/api/reasons/consequences.js';
import { explanationOf } from '../daemon/api/reasons/registry.js';
import { filled, linkOf, type RemedyLink } from '../daemon/api/reasons/remedies.js';
import { plain } from '../daemon/lib/text.js';
import { networksOf, type NetworkView } from './networks-view.js';
import { marks, type Signs } from './signs.js';
import { localTime, type Paint } from './terminal.js';
import { ageText, cut, hanging, wrapped } from './wrapping.js';

export interface View {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Columns; Infinity where nobody counts them. */
  readonly width: number;
  readonly paint: Paint;
  readonly signs: Signs;
  /** Every condition with its times, and every container. */
  readonly verbose: boolean;
  /** The link as it is configured, for commands while there is none. */
  readonly tap: Config['tap'];
}

/** Nothing is to be done: containers answer, or there is no VM to reach, or a person took the link down. */
const healthy: readonly Phase[] = ['ready', 'idle', 'down'];

export const isHealthy = ({ phase }: Pick<Status, 'phase'>): boolean => healthy.includes(phase);

/** Whether its reason says that something does not work, whatever else is missing. */
export const isFailure = ({ type, reason }: Pick<Condition, 'type' | 'reason'>): boolean =>
  ['degraded', 'persistent'].includes(explanationOf(type, reason)?.severity ?? '');

/**
 * Whether this is fine although it is not True: while there is nothing to do, much is missing. What fails meanwhile is
 * wrong, but where a person has taken the link down.
 */
export const isCalm = (
  status: Pick<Status, 'phase'>,
  condition: Pick<Condition, 'type' | 'reason'>,
): boolean => isHealthy(status) && (status.phase === 'down' || !isFailure(condition));

const nameOf: Readonly<Record<Exclude<Phase, 'ready'>, string>> = {
  idle: 'idle: nothing to do until Docker’s VM runs',
  down: 'down: taken down by hand; `tuntapctl up` brings it back',
  working: 'working: not there yet',
  degraded: 'degraded: something does not work',
  blocked: 'blocked: waits for you',
};

const colourOf = (phase: Phase): 'green' | 'yellow' | 'red' =>
  phase === 'ready' ? 'green' : phase === 'degraded' || phase === 'blocked' ? 'red' : 'yellow';

/** Rows that one network may take, unless all are asked for: a status is to fit on a screen. */
const maxContainers = 12;

/** What belongs before a time span; empty where the span is not known. */
const since = (iso: string, now: number): string => {
  const age = ageText(iso, now);
  return age === null ? '' : ` for ${age}`;
};

function headline({ phase, conditions }: Status, { now, width, paint }: View): string[] {
  const ready = conditions.find(({ type }) => type === 'Ready');
  const text = phase === 'ready' ? `ready: ${plain(ready?.message ?? '', 2000)}` : nameOf[phase];
  const age = ready === undefined ? null : ageText(ready.since, now);
  const [first = '', ...rest] = wrapped(age === null ? text : `${text} (for ${age})`, width);
  return [first, ...rest].map((line) => paint('bold', paint(colourOf(phase), line)));
}

/** The conditions of which a person is told here: what is wrong, its cause first; what merely is not there yet last. */
function problemsOf({ phase, conditions }: Status): readonly Condition[] {
  const unmet = withoutConsequences(conditions).filter(({ status }) => status !== 'True');
  const isAlone = unmet.length === 1 && !isHealthy({ phase });
  const told = unmet.filter(({ type, reason }) => {
    const { severity, isTold = false } = explanationOf(type, reason) ?? {};
    return severity !== 'idle' || isTold || isAlone;
  });
  const cause = causeOf(told);
  return cause === null ? told : [cause, ...told.filter((each) => each !== cause)];
}

/** As doctor judges it (verdicts.ts): what keeps it from being known may itself be what does not work. */
function signOf(condition: Condition, calm: boolean): 'unknown' | 'idle' | 'wait' | 'fail' {
  const { type, reason, status } = condition;
  if (status === 'Unknown' && (calm || !isFailure(condition))) return 'unknown';
  if (calm) return 'idle';
  return explanationOf(type, reason)?.severity === 'transient' ? 'wait' : 'fail';
}

const colours = { pass: 'green', fail: 'red', unknown: 'yellow', wait: 'yellow', idle: 'dim' } as const;

function problem(condition: Condition, calm: boolean, link: RemedyLink, view: View): string[] {
  const { paint, signs, width, now } = view;
  const sign = signOf(condition, calm);
  const { type, reason, message } = condition;
  const told = `${plain(type, 40)}: ${plain(message, 2000)}`;
  const margin = signs[sign].length + 1;
  const lines = hanging(paint(colours[sign], signs[sign]), told, width, margin);
  if (calm) return lines;
  const { meaning, whatToDo = [] } = explanationOf(type, reason) ?? {};
  if (meaning !== undefined) lines.push(...wrapped(meaning, width, margin).map((line) => paint('dim', line)));
  for (const remedy of whatToDo) {
    const { text, command } = filled(remedy, link);
    const step = `${signs.arrow} ${text}`;
    const fits = command !== undefined && margin + step.length + 2 + command.length <= width;
    if (fits) {
      lines.push(`${' '.repeat(margin)}${step}: ${command}`);
      continue;
    }
    const [head = '', ...tail] = wrapped(command === undefined ? step : `${step}:`, width - 2, margin);
    lines.push(head, ...tail.map((line) => `  ${line}`));
    // A command is pasted, so it is never broken.
    if (command !== undefined) lines.push(`${' '.repeat(margin + 2)}${command}`);
  }
  if (view.verbose)
    lines.push(paint('dim', `${' '.repeat(margin)}${plain(reason, 60)}${since(condition.since, now)}`));
  return lines;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** What stands at hyperkit's path, for people; what is not here is told by its kind. */
const shims: ReadonlyMap<string, string> = new Map([
  ['shim', 'with the shim'],
  ['outdated-shim', 'with an older shim'],
  ['mach-o', 'without the shim'],
  ['missing', 'without a hyperkit'],
]);

function dockerLine({ bundles, withoutHyperkit = [] }: Status): string {
  if (bundles === undefined) return 'not known';
  const told = [
    ...bundles.map(({ app, version, target }) => {
      const release = version === null ? '' : `${plain(version, 30)}, `;
      const shim = shims.get(target) ?? `at hyperkit’s path: ${plain(target, 40)}`;
      return `Desktop ${release}${plain(app, 200)}, ${shim}`;
    }),
    ...withoutHyperkit.map((app) => `Desktop ${plain(app, 200)}`),
  ];
  const [first = 'no Docker.app', ...others] = told;
  return `${first}${others.length === 0 ? '' : `, and ${counted(others.length, 'other')}`}`;
}

function engineLine({ engine, vm, containers, moreContainers = 0, conditions }: Status): string {
  if (engine === undefined) return 'not known';
  if (engine === null && conditions.some(({ type, reason }) => type === 'Engine' && reason === 'NotNeeded'))
    return 'not asked: nothing can be set up in this VM';
  if (engine === null) return vm === null ? 'not asked while no VM runs' : 'does not answer (yet)';
  const running =
    containers === undefined ? '' : `, ${counted(containers.length + moreContainers, 'container')}`;
  return `${plain(engine.version, 40)}, ${counted(engine.networks, 'network')}${running}`;
}

function vmLine({ vm }: Status, { now }: View): string {
  if (vm === undefined) return 'not known';
  if (vm === null) return 'does not run';
  // A VM of another kind takes no tap.
  const lacksTap = !vm.startedWithTap && (vm.kind ?? 'hyperkit') === 'hyperkit';
  const whose = vm.runtime ? `${plain(vm.runtime.name, 40)}’s ` : '';
  return `${whose}runs${since(vm.startedAt, now)}, pid ${vm.pid}${lacksTap ? ', started without the tap' : ''}`;
}

function linkLine({ link }: Status, { signs }: View): string | null {
  if (link === undefined) return null;
  if (link === null) return 'not there';
  const { interface: name, told, address, peer, state, roundTrip } = link;
  const ends = `${plain(name, 20)}${told === undefined ? '' : ` (${plain(told, 80)})`}, ${plain(address, 20)} ${signs.link} ${plain(peer, 20)}`;
  if (state !== 'up') return `${ends}, ${state}`;
  return roundTrip === undefined
    ? ends
    : `${ends}, round trip ${roundTrip < 10 ? roundTrip.toFixed(1) : Math.round(roundTrip)} ms`;
}

/** The link by IPv6, where there is one to be. */
function ipv6Line({ link }: Status, { signs }: View): string | null {
  if (!link?.ipv6) return null;
  const { address, peer, state } = link.ipv6;
  const ends = `${plain(address, 45)} ${signs.link} ${plain(peer, 45)}`;
  return state === 'up' ? ends : `${ends}, ${state}`;
}

function facts(status: Status, view: View): string[] {
  const rows: [string, string | null][] = [
    ['Docker', dockerLine(status)],
    ['Engine', engineLine(status)],
    ['VM', vmLine(status, view)],
    ['Link', linkLine(status, view)],
    ['IPv6', ipv6Line(status, view)],
  ];
  return rows.flatMap(([name, text]) =>
    text === null ? [] : [`  ${view.paint('dim', name.padEnd(6))}  ${cut(text, view.width - 10)}`],
  );
}

/** How wide the first column is: as its longest cell, but no wider than leaves room for the others. */
const columnFor = (cells: readonly string[], width: number): number =>
  Math.max(8, Math.min(Math.max(0, ...cells.map(({ length }) => length)), width - 24, 40));

function network(found: NetworkView, name: number, isTold: (why: string) => boolean, view: View): string[] {
  const { paint, signs, width, verbose } = view;
  const project = found.project === null ? '' : `compose ${plain(found.project, 60)}`;
  const lines: string[] = [];
  found.subnets.forEach(({ subnet, state, why }, index) => {
    const sign = marks[state];
    const title = index === 0 ? plain(found.name, 80) : '';
    const cells = `${cut(title, name).padEnd(name)}  ${plain(subnet, 60).padEnd(18)}`;
    const isPlain = state === 'routed' && found.usualWays.includes(why);
    const note = index === 0 && project !== '' ? `  ${project}` : '';
    const room = width - signs[sign].length - 3 - cells.length;
    const head = `  ${paint(colours[sign], signs[sign])} ${cells}${cut(`${state}${note}`, room)}`.trimEnd();
    lines.push(head);
    if (!isPlain && !isTold(why)) lines.push(...wrapped(plain(why, 1000), width, 6));
  });
  const shown = verbose ? found.containers : found.containers.slice(0, maxContainers);
  const indent = 4;
  for (const { name: container, address, project: own, dnsName } of shown) {
    const compose = own === null || own === found.project ? [] : [`compose ${plain(own, 60)}`];
    const label = [...(dnsName === null ? [] : [plain(dnsName, 100)]), ...compose].join('  ');
    const cell = name + signs.pass.length - 1;
    const row = `${cut(plain(container, 80), cell).padEnd(cell)}  ${plain(address, 60).padEnd(18)}`;
    lines.push(`${' '.repeat(indent)}${row}${cut(label, width - indent - row.length)}`.trimEnd());
  }
  const left = found.containers.length - shown.length;
  if (left > 0) lines.push(`${' '.repeat(indent)}and ${left} more: tuntapctl status --verbose`);
  return lines;
}

function networkLines(status: Status, view: View): string[] {
  const { routed, never } = networksOf(status);
  const names = routed.flatMap((found) => [found.name, ...found.containers.map(({ name }) => name)]);
  const name = columnFor(names, view.width);
  const problems = problemsOf(status);
  const isTold = (why: string): boolean =>
    status.phase === 'down' || problems.some(({ message }) => message.includes(why));
  const lines = routed.flatMap((found) => network(found, name, isTold, view));
  if (lines.length > 0) lines.unshift(view.paint('bold', 'Networks'));
  const { moreContainers = 0 } = status;
  if (moreContainers > 0)
    lines.push(
      ...wrapped(
        `And ${counted(moreContainers, 'container')} more, for which there is no room here: docker ps lists them`,
        view.width,
      ),
    );
  if (never.length > 0) {
    const named = never.slice(0, 8).map((each) => plain(each, 100));
    const more = never.length > named.length ? ` and ${never.length - named.length} more` : '';
    lines.push(
      ...wrapped(`Not routed: ${named.join(', ')}${more}. Why: tuntapctl routes --all`, view.width).map(
        (line) => view.paint('dim', line),
      ),
    );
  }
  return lines;
}

function everyCondition(status: Status, { paint, signs, now, width }: View): string[] {
  const { conditions } = status;
  const type = Math.max(0, ...conditions.map((each) => plain(each.type, 40).length));
  const sign = Math.max(...Object.values(signs).map((each: string) => each.length));
  return [
    paint('bold', 'Conditions'),
    ...conditions.flatMap((condition) => {
      const mark = condition.status === 'True' ? 'pass' : signOf(condition, isCalm(status, condition));
      const age = ageText(condition.since, now);
      const when = `${localTime(condition.since)}${age === null ? '' : ` (${age})`}`;
      const told =
        `${plain(condition.type, 40).padEnd(type)}  ` +
        `${plain(condition.reason, 60)}, since ${when}: ${plain(condition.message, 2000)}`;
      return hanging(`  ${paint(colours[mark], signs[mark].padEnd(sign))}`, told, width, sign + 3);
    }),
  ];
}

/** The lines of a status, in sections with an empty line between them. */
export function statusLines(status: Status, view: View): string[] {
  const { paint, verbose, tap } = view;
  const link = linkOf(status, tap);
  const problems = problemsOf(status);
  const calm = problems.filter((each) => isCalm(status, each));
  const wrong = problems.filter((each) => !isCalm(status, each));
  const about = `tuntapd ${plain(status.version, 40)}, pid ${status.pid}, since ${localTime(status.since)}`;
  const sections = [
    headline(status, view),
    ...wrong.map((each) => problem(each, false, link, view)),
    calm.flatMap((each) => problem(each, true, link, view)),
    facts(status, view),
    networkLines(status, view),
    verbose ? everyCondition(status, view) : [],
    [
      ...wrapped(about, view.width).map((line) => paint('dim', line)),
      ...(isHealthy(status) ? [] : ['More: tuntapctl doctor, tuntapctl logs -n 50']),
    ],
  ];
  return sections
    .filter((section) => section.length > 0)
    .flatMap((section, index) => (index === 0 ? section : ['', ...section]));
}
