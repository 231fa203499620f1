import type { Condition, Status } from '../../daemon/api/messages.js';
import { withoutConsequences } from '../../daemon/api/reasons/consequences.js';
import { conditionTypes } from '../../daemon/api/reasons/record.js';
import { entryOf, explanationOf, questionOf } from '../../daemon/api/reasons/registry.js';
import { filled, inWords, linkOf, readLogs, type RemedyLink } from '../../daemon/api/reasons/remedies.js';
import { plain } from '../../daemon/lib/text.js';
import { askSafely, checks } from '../checks.js';
import { askStatus } from '../client.js';
import { configuredTap } from '../configured-tap.js';
import { CliError, exit } from '../exit.js';
import { type Finding, printFindings, type Question } from '../findings-view.js';
import type { Io } from '../io.js';
import { withProgress } from '../progress.js';
import { printJson, printLine, table } from '../terminal.js';
import { verdictOf } from '../verdicts.js';

/** Doctor's number for a condition; one that only a newer daemon knows goes by its name. */
const idOf = ({ type }: Pick<Condition, 'type'>): string => questionOf(type)?.code ?? type;

const summary = idOf({ type: 'Ready' });

function ofCondition(condition: Condition, status: Status, link: RemedyLink): Finding {
  const { type, reason, message } = condition;
  const verdict = verdictOf(condition, status);
  const { notice, whatToDo = [] } = explanationOf(type, reason) ?? {};
  const steps = whatToDo.map((remedy) => inWords(filled(remedy, link)));
  const logs = whatToDo.includes(readLogs) ? [] : [readLogs.command];
  return {
    id: idOf(condition),
    question: questionOf(type)?.question ?? `Is ${type} True?`,
    status: verdict,
    detail: [`${reason}: ${message}`, ...(notice === undefined ? [] : [notice])].join('\n'),
    fix: verdict === 'pass' ? [] : verdict === 'fail' ? [...steps, ...logs] : steps,
  };
}

async function statusOrError(io: Io): Promise<Status | CliError> {
  try {
    return await askStatus(io.socketPath);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
}

/** Everything that is asked, in its order. */
const questions: readonly Question[] = [
  ...checks.map(({ id, question }) => ({ id, question })),
  ...conditionTypes.flatMap((type) => {
    const topic = questionOf(type);
    return topic ? [{ id: topic.code, question: topic.question }] : [];
  }),
];

/** `tuntapctl doctor --list [CODE …]` */
export function doctorList(io: Io, codes: readonly string[], options: { json?: boolean }): number {
  const chosen = questions.filter(chosenOf(codes));
  if (options.json === true) printJson(io, chosen);
  else for (const line of table(chosen.map(({ id, question }) => [id, question]))) printLine(io.stdout, line);
  return exit.healthy;
}

/** The codes as they are written; of none all. Throws CliError, a usage error, for one that there is not. */
function chosenOf(codes: readonly string[]): (question: Question) => boolean {
  const wanted = codes.map((code) => code.toUpperCase());
  const unknown = codes.find((_, index) => !questions.some(({ id }) => id === wanted[index]));
  if (unknown !== undefined)
    throw new CliError(`there is no check “${plain(unknown, 40)}”: see tuntapctl doctor --list`, exit.usage);
  return ({ id }) => wanted.length === 0 || wanted.includes(id);
}

/** What was asked for by its code, and no daemon has told of. */
function untold(codes: readonly string[], told: readonly Finding[], status: Status | CliError): Finding[] {
  const [detail, fix] =
    status instanceof CliError
      ? ['the daemon, which would know, does not answer', 'tuntapctl doctor TT008']
      : ['this daemon says nothing of it: it may be an older one', 'tuntapctl doctor TT009'];
  const isChosen = chosenOf(codes);
  return questions
    .filter((question) => codes.length > 0 && isChosen(question))
    .filter(({ id }) => ![...checks, ...told].some((known) => known.id === id))
    .map((question) => ({ ...question, status: 'unknown', detail, fix: [fix] }));
}

const isWrong = ({ status }: Finding): boolean => status === 'fail';

/** The check that says what a condition says too: where both fail the check is shown. */
const twinOf = ({ type, reason }: Condition): string | undefined =>
  type === 'Configuration' ? 'TT010' : entryOf(type, reason)?.isTerminal === true ? 'TT001' : undefined;

/** Those that a person is shown: without what fails merely because another one does, but never without all that fails. */
function shownOf(findings: readonly Finding[], conditions: readonly Condition[]): readonly Finding[] {
  const failing = findings.filter(isWrong).map(({ id }) => id);
  const twins = new Map(conditions.map((condition) => [idOf(condition), twinOf(condition)]));
  const causesOf = (wanted: string): readonly string[] =>
    checks.find(({ id }) => id === wanted)?.after ?? [twins.get(wanted) ?? ''];
  const kept = withoutConsequences(conditions).map(idOf);
  const hidden = conditions.map(idOf).filter((id) => !kept.includes(id));
  const shown = findings.filter(
    (finding) =>
      !hidden.includes(finding.id) &&
      !(isWrong(finding) && causesOf(finding.id).some((cause) => failing.includes(cause))),
  );
  if (shown.some(isWrong) || failing.length === 0) return shown;
  // Of what lies behind all of it nobody knows: then the summary is told, or whatever fails.
  const instead = failing.includes(summary) ? [summary] : failing;
  return findings.filter((finding) => shown.includes(finding) || instead.includes(finding.id));
}

/**
 * `tuntapctl doctor [CODE …]`, as text without what merely follows from something else: 3 when no daemon runs, 4 when
 * anything fails, 0 otherwise (unknown fails nothing).
 */
export async function doctor(io: Io, codes: readonly string[], options: { json?: boolean }): Promise<number> {
  const isChosen = chosenOf(codes);
  const status = await withProgress(io, 'doctor asks the daemon', statusOrError(io));
  const checking = Promise.all(
    checks.filter(isChosen).map(async (check): Promise<Finding> => {
      const { id, question } = check;
      return { id, question, ...(await askSafely(check, io, status)) };
    }),
  );
  const checked = await withProgress(io, 'doctor checks this Mac', checking);
  const conditions = status instanceof CliError ? [] : status.conditions;
  const link = linkOf(status instanceof CliError ? null : status, await configuredTap(io));
  const ofDaemon =
    status instanceof CliError
      ? []
      : conditions
          .map((condition) => ofCondition(condition, status, link))
          .filter((finding) => codes.length === 0 || isChosen(finding));
  const findings = [...checked, ...ofDaemon, ...untold(codes, ofDaemon, status)];
  const idle = new Set(conditions.filter((condition) => condition.status !== 'True').map(idOf));
  if (options.json === true) printJson(io, findings);
  // Whoever asks for one by its code wants it told, consequence or not.
  else printFindings(io, codes.length > 0 ? findings : shownOf(findings, conditions), idle);
  if (status instanceof CliError && status.code === exit.notRunning) return exit.notRunning;
  return findings.some(isWrong) ? exit.degraded : exit.healthy;
}
