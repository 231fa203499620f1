import type { Condition, Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { type Answer, askSafely, checks } from '../checks.js';
import { askStatus } from '../client.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { painter, plainLines, printJson, printLine } from '../terminal.js';
import { isHealthy } from './status.js';

interface Finding extends Answer {
  readonly id: string;
  readonly question: string;
}

/** Numbers of the daemon's own conditions; one that this CLI does not know has none. */
const numbers: Readonly<Record<string, string>> = {
  Configuration: 'TT100',
  ConsoleUser: 'TT101',
  TapDevice: 'TT102',
  Shim: 'TT103',
  VirtualMachine: 'TT104',
  TapAttached: 'TT105',
  TapAddress: 'TT106',
  Engine: 'TT107',
  Guest: 'TT108',
  Routes: 'TT109',
  Ready: 'TT110',
  DataPath: 'TT111',
};

/** Docker Desktop checks the content of its app (release notes of 4.74 and 4.79), and may tell its user of a change. */
const integrityNotice =
  'A notice of Docker Desktop about the integrity of its app means this shim; ' +
  'to have hyperkit as Docker shipped it: sudo tuntapctl shim restore';

function ofCondition({ type, status, reason, message }: Condition, calm: boolean): Finding {
  const verdict = status === 'True' ? 'pass' : status === 'Unknown' ? 'unknown' : calm ? 'pass' : 'fail';
  const fix = verdict === 'fail' ? ['tuntapctl logs -n 50'] : [];
  return {
    id: numbers[type] ?? 'TT199',
    question: `Does ${type} hold?`,
    status: verdict,
    detail: [`${reason}: ${message}`, ...(reason === 'Installed' ? [integrityNotice] : [])].join('\n'),
    fix,
  };
}

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

/** `tuntapctl doctor`: 3 when no daemon runs, 4 when anything fails, 0 otherwise (unknown fails nothing). */
export async function doctor(io: Io, options: { json?: boolean }): Promise<number> {
  const status = await statusOrError(io);
  const findings: Finding[] = [];
  for (const check of checks)
    findings.push({ id: check.id, question: check.question, ...(await askSafely(check, io, status)) });
  if (!(status instanceof CliError))
    findings.push(...status.conditions.map((condition) => ofCondition(condition, isHealthy(status))));
  const failed = findings.some((finding) => finding.status === 'fail');
  if (options.json === true) printJson(io, findings);
  else {
    const paint = painter(io, io.stdout);
    for (const { id, question, status: verdict, detail, fix } of findings) {
      printLine(io.stdout, `${paint(colours[verdict], marks[verdict])} ${id} ${plain(question)}`);
      printLine(io.stdout, plainLines(detail).replaceAll(/^/gm, '        '));
      for (const step of fix) printLine(io.stdout, `        → ${plain(step, 1000)}`);
    }
  }
  if (status instanceof CliError && status.code === exit.notRunning) return exit.notRunning;
  return failed ? exit.degraded : exit.healthy;
}
