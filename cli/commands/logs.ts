import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { jsonLogLine, renderLogLine } from '../log-line.js';
import { followLog, readLog } from '../log-reader.js';
import { printLine } from '../terminal.js';

/** `tuntapctl logs`: reads the file itself, so that it works when the daemon is dead. */
export async function logs(
  io: Io,
  options: { follow?: boolean; lines: number; json?: boolean },
): Promise<number> {
  const reading = {
    path: io.logPath,
    count: options.lines,
    onLine: (line: string): void => {
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
    if (!(await readLog(reading))) throw new CliError(absent);
    return exit.healthy;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES')
      throw new CliError(`${io.logPath} is not yours to read: you need to be in the admin group or use sudo`);
    throw error;
  }
}
