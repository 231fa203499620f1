import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { isHealthy, statusLines } from '../status-view.js';
import { printJson, printLine } from '../terminal.js';
import { viewOn } from '../view.js';

/** `tuntapctl status`: what works and, first of all, what does not; 0 when healthy, 4 when not. */
export async function status(io: Io, options: { json?: boolean; verbose?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  if (options.json === true) printJson(io, answer);
  else {
    const view = await viewOn(io, options);
    for (const line of statusLines(answer, view())) printLine(io.stdout, line);
  }
  return isHealthy(answer) ? exit.healthy : exit.degraded;
}
