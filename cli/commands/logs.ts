import { stat } from 'node:fs/promises';
import { messageOf, plain } from '../../daemon/lib/text.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { acceptsLine, type LogFilter } from '../log-filter.js';
import { jsonLogLine, renderLogLine, timeOf } from '../log-line.js';
import { followLog, readLog } from '../log-reader.js';
import { localTime, printLine, safeJson } from '../terminal.js';

export interface LogOptions extends LogFilter {
  readonly follow?: boolean;
  /** Number of past lines; left out: 50, or with `since` all. */
  readonly lines?: number;
  readonly json?: boolean;
}

/** Lines of launchd's own log of the daemon that are shown; a crash has a screenful. */
const maxLaunchdLines = 40;

/** What the runtime said when it crashed since `from`, which only launchd keeps: it has no times but the file's own. */
async function showLaunchd(io: Io, { pattern, json }: LogOptions, from: number): Promise<void> {
  const path = io.layout.launchdLog;
  try {
    const { mtime, size } = await stat(path);
    if (size === 0 || mtime.getTime() < from) return;
    const lines: string[] = [];
    await readLog({
      path,
      count: maxLaunchdLines,
      accepts: (line) => pattern === undefined || pattern.test(line),
      onLine: (line) => lines.push(line),
    });
    if (lines.length === 0) return;
    if (json === true) {
      for (const message of lines) printLine(io.stdout, safeJson({ message, source: path }));
      return;
    }
    printLine(io.stdout, `\n${path}, which was last written at ${localTime(mtime.toISOString())}:`);
    for (const line of lines) printLine(io.stdout, `  ${plain(line, 2000)}`);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'EACCES'].includes(code)) throw error;
  }
}

/** `tuntapctl logs`: reads the files themselves, so that it works when the daemon is dead. */
export async function logs(io: Io, options: LogOptions): Promise<number> {
  const { since, level, pattern } = options;
  const isFiltered = [since, level, pattern].some((each) => each !== undefined);
  let oldest: number | null = null;
  const reading = {
    path: io.logPath,
    count: options.lines ?? (since === undefined ? 50 : Infinity),
    ...(isFiltered ? { accepts: acceptsLine(options) } : {}),
    onLine: (line: string): void => {
      oldest ??= timeOf(line);
      printLine(io.stdout, options.json === true ? jsonLogLine(line) : renderLogLine(line));
    },
  };
  const absent = `there is no log yet: ${io.logPath} does not exist (tuntapd has not run)`;
  try {
    if (options.follow === true) {
      await followLog(reading, io.untilInterrupted(), () => {
        printLine(io.stderr, absent);
      });
      return exit.healthy;
    }
    const isThere = await readLog(reading);
    // What is older than all that is shown belongs to another story.
    await showLaunchd(io, options, since ?? oldest ?? 0);
    if (!isThere) throw new CliError(absent);
    return exit.healthy;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES')
      throw new CliError(`${io.logPath} is not yours to read: you need to be in the admin group or use sudo`);
    if ((error as NodeJS.ErrnoException).syscall !== undefined)
      throw new CliError(`${io.logPath} cannot be read: ${messageOf(error)}`, undefined, { cause: error });
    throw error;
  }
}
