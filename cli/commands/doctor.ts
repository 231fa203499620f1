import { loadConfig } from '../../config/load.js';
import { type Config, configSchema } from '../../config/schema.js';
import { filled, readLogs } from '../../daemon/api/reasons/remedies.js';
import { explanationOf, questionOf } from '../../daemon/api/reasons/registry.js';
import type { Remedy } from '../../daemon/api/reasons/record.js';
import { withoutConsequences } from '../../daemon/api/reasons/consequences.js';
import type { Condition, Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { type Answer, askSafely, checks } from '../checks.js';
import { askStatus } from '../client.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { painter, plainLines, printJson, printLine } from '../terminal.js';
import { isCalm } from './status.js';

interface Finding extends Answer {
  readonly id: string;
  readonly question: string;
}

const inWords = ({ text, command }: Remedy): string => (command === undefined ? text : `${text}: ${command}`);

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

/** The link as it is configured, or by default where the configuration cannot be taken. */
const tapOf = async ({ configPath, layout }: Io): Promise<Config['tap']> => {
  try {
    return (await loadConfig(configPath, { owner: layout.owner.uid })).config.tap;
  } catch {
    return configSchema.parse({}).tap;
  }
};

const marks = { pass: '✓', fail: '✗', unknown: '?' } as const;
const colours = { pass: 'green', fail: 'red', unknown: 'yellow' } as const;

async function statusOrError(io: Io): Promise<Status | CliError> {
  try {
    return await askStatus(io.socketPath);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
}

/**
 * `tuntapctl doctor`, as text without what merely follows from something else: 3 when no daemon runs, 4 when anything
 * fails, 0 otherwise (unknown fails nothing).
 */
export async function doctor(io: Io, options: { json?: boolean }): Promise<number> {
  const status = await statusOrError(io);
  const checked: Finding[] = [];
  for (const check of checks)
    checked.push({ id: check.id, question: check.question, ...(await askSafely(check, io, status)) });
  const conditions = status instanceof CliError ? [] : status.conditions;
  const about = {
    isFine: (condition: Condition) => !(status instanceof CliError) && isCalm(status, condition),
    tap: await tapOf(io),
  };
  const withConditions = (list: readonly Condition[]): readonly Finding[] => [
    ...checked,
    ...list.map((condition) => ofCondition(condition, about)),
  ];
  const findings = withConditions(conditions);
  if (options.json === true) printJson(io, findings);
  else {
    const paint = painter(io, io.stdout);
    for (const finding of withConditions(withoutConsequences(conditions))) {
      const { id, question, status: verdict, detail, fix } = finding;
      printLine(io.stdout, `${paint(colours[verdict], marks[verdict])} ${plain(id, 40)} ${plain(question)}`);
      printLine(io.stdout, plainLines(detail).replaceAll(/^/gm, '        '));
      for (const step of fix) printLine(io.stdout, `        → ${plain(step, 1000)}`);
    }
  }
  if (status instanceof CliError && status.code === exit.notRunning) return exit.notRunning;
  return findings.some((finding) => finding.status === 'fail') ? exit.degraded : exit.healthy;
}
