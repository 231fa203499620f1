import { statusFormat } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askVersion } from '../client.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { printJson, printLine } from '../terminal.js';

/** `tuntapctl version`: its own and the running daemon's; 0 also when none runs. */
export async function version(io: Io, options: { json?: boolean }): Promise<number> {
  const daemon = await askVersion(io.socketPath).catch((error: unknown) => {
    if (error instanceof CliError) return error;
    throw error;
  });
  const running = daemon instanceof CliError ? null : daemon;
  if (options.json === true)
    printJson(io, { tuntapctl: io.version, tuntapd: running?.version ?? null, format: statusFormat });
  else {
    printLine(io.stdout, `tuntapctl ${io.version}`);
    printLine(
      io.stdout,
      daemon instanceof CliError
        ? `tuntapd   ${daemon.message.replace(/^tuntapd /, '')}`
        : `tuntapd   ${plain(daemon.version, 40)} (pid ${daemon.pid})`,
    );
  }
  return exit.healthy;
}
