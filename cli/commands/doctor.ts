import type { Config } from '../../config/schema.js';
import { filled, inWords, readLogs } from '../../daemon/api/reasons/remedies.js';
import { explanationOf, questionOf } from '../../daemon/api/reasons/registry.js';
import { conditionTypes } from '../../daemon/api/reasons/record.js';
import { withoutConsequences } from '../../daemon/api/reasons/consequences.js';
import type { Condition, Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import type { Answer } from '../answer.js';
import { askSafely, checks } from '../checks.js';
import { askStatus } from '../client.js';
import { configuredTap } from '../configured-tap.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { withProgress } from '../progress.js';
import { signsFor } from '../signs.js';
import { isCalm } from '../status-view.js';
import { painter, plainLines, printJson, printLine, table, widthOf } from '../terminal.js';
import { wrapped } from '../wrapping.js';

interface Question {
  readonly id: string;
  readonly question: string;
}

export interface Finding extends Answer, Question {}

function ofCondition(
  condition: Condition,
  { isFine, tap }: { isFine: (condition: Condition) => boolean; tap: Config['tap'] },
): Finding {
  const { type, status, reason, message } = condition;
  const verdict =
    status === 'True' ? 'pass' : status === 'Unknown' ? 'unknown' : isFine(condition) ? 'pass' : 'fail';
  // One that only a newer daemon knows has no number: it goes by its name.
  const { code, question } = questionOf(type) ?? { code: type, question: `Is ${type} True?` };
  const { notice, whatToDo = [] } = explanationOf(type, reason) ?? {};
  const steps = whatToDo.map((remedy) => inWords(filled(remedy, tap)));
  const logs = whatToDo.includes(readLogs) ? [] : [readLogs.command];
  return {
    id: code,
    question,
    status: verdict,
    detail: [`${reason}: ${message}`, ...(notice === undefined ? [] : [notice])].join('\n'),
    fix: verdict === 'pass' ? [] : verdict === 'fail' ? [...steps, ...logs] : steps,
  };
}

const colours = { pass: 'green', fail: 'red', unknown: 'yellow' } as const;

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

/** `tuntapctl doctor --list` */
export function doctorList(io: Io, options: { json?: boolean }): number {
  if (options.json === true) printJson(io, questions);
  else
    for (const line of table(questions.map(({ id, question }) => [id, question]))) printLine(io.stdout, line);
  return exit.healthy;
}

/** The codes as they are written; of none all. Throws CliError, a usage error, for one that there is not. */
function chosenOf(codes: readonly string[]): (question: Question) => boolean {
  const wanted = codes.map((code) => code.toUpperCase());
  const unknown = wanted.find((code) => !questions.some(({ id }) => id === code));
  if (unknown !== undefined)
    throw new CliError(`there is no check ${unknown}: see tuntapctl doctor --list`, exit.usage);
  return ({ id }) => wanted.length === 0 || wanted.includes(id);
}

/** What cannot be asked of a daemon that does not answer, where it was asked for by its code. */
const unanswered = (codes: readonly string[]): readonly Finding[] =>
  questions
    .filter(({ id }) => codes.length > 0 && !checks.some((check) => check.id === id))
    .map((question) => ({
      ...question,
      status: 'unknown',
      detail: 'the daemon, which would know, does not answer',
      fix: ['tuntapctl doctor TT008'],
    }));

function tell(io: Io, findings: readonly Finding[]): void {
  const paint = painter(io, io.stdout);
  const signs = signsFor(io, io.stdout);
  const width = widthOf(io.stdout);
  for (const { id, question, status, detail, fix } of findings) {
    printLine(io.stdout, `${paint(colours[status], signs[status])} ${plain(id, 40)} ${plain(question)}`);
    for (const line of plainLines(detail).split('\n'))
      for (const part of wrapped(line, width, 8)) printLine(io.stdout, part);
    // A command is pasted, so it is never broken.
    for (const step of fix) printLine(io.stdout, `        ${signs.arrow} ${plain(step, 1000)}`);
  }
  const count = (verdict: Finding['status']): number =>
    findings.filter(({ status }) => status === verdict).length;
  const unknown = count('unknown') === 0 ? '' : `, ${count('unknown')} not known`;
  printLine(io.stdout, `\n${count('pass')} as it should be, ${count('fail')} wrong${unknown}`);
}

/** Without those that fail merely because another one does. */
function causesAmong(findings: readonly Finding[]): readonly Finding[] {
  const failing = findings.filter(({ status }) => status === 'fail').map(({ id }) => id);
  const causesOf = (wanted: string): readonly string[] => checks.find(({ id }) => id === wanted)?.after ?? [];
  return findings.filter(
    ({ id, status }) => status !== 'fail' || !causesOf(id).some((cause) => failing.includes(cause)),
  );
}

/**
 * `tuntapctl doctor [CODE …]`, as text without what merely follows from something else: 3 when no daemon runs, 4 when
 * anything fails, 0 otherwise (unknown fails nothing).
 */
export async function doctor(io: Io, codes: readonly string[], options: { json?: boolean }): Promise<number> {
  const isChosen = chosenOf(codes);
  const status = await withProgress(io, 'doctor asks the daemon', statusOrError(io));
  const checked = await Promise.all(
    checks.filter(isChosen).map(async (check): Promise<Finding> => {
      const { id, question } = check;
      return { id, question, ...(await askSafely(check, io, status)) };
    }),
  );
  const about = {
    isFine: (condition: Condition) => !(status instanceof CliError) && isCalm(status, condition),
    tap: await configuredTap(io),
  };
  const withConditions = (
    list: readonly Condition[],
    own: readonly Finding[] = checked,
  ): readonly Finding[] => [
    ...own,
    ...list
      .map((condition) => ofCondition(condition, about))
      .filter((finding) => codes.length === 0 || isChosen(finding)),
    ...(status instanceof CliError ? unanswered(codes).filter(isChosen) : []),
  ];
  const conditions = status instanceof CliError ? [] : status.conditions;
  const findings = withConditions(conditions);
  if (options.json === true) printJson(io, findings);
  // Whoever asks for one by its code wants it told, consequence or not.
  else
    tell(
      io,
      codes.length > 0 ? findings : withConditions(withoutConsequences(conditions), causesAmong(checked)),
    );
  if (status instanceof CliError && status.code === exit.notRunning) return exit.notRunning;
  return findings.some((finding) => finding.status === 'fail') ? exit.degraded : exit.healthy;
}
