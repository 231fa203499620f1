import { configuredTap } from '../configured-tap.js';
import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { signsFor } from '../signs.js';
import { isHealthy, statusLines } from '../status-view.js';
import { painter, printJson, printLine, widthOf } from '../terminal.js';

/** `tuntapctl status`: what works and, first of all, what does not; 0 when healthy, 4 when not. */
export async function status(io: Io, options: { json?: boolean; verbose?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  if (options.json === true) printJson(io, answer);
  else {
    const lines = statusLines(answer, {
      now: io.now(),
      width: widthOf(io.stdout),
      paint: painter(io, io.stdout),
      signs: signsFor(io, io.stdout),
      verbose: options.verbose === true,
      tap: await configuredTap(io),
    });
    for (const line of lines) printLine(io.stdout, line);
  }
  return isHealthy(answer) ? exit.healthy : exit.degraded;
}
