import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { printJson, printLine } from '../terminal.js';
import { routeLines } from './status.js';

/** `tuntapctl routes`: every subnet of every Docker network, and why it is routed or not. */
export async function routes(io: Io, options: { json?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  if (options.json === true) printJson(io, answer.routes);
  else if (answer.routes.length === 0)
    printLine(io.stdout, 'No Docker network is known (Docker’s VM does not run).');
  else for (const line of routeLines(answer)) printLine(io.stdout, line);
  return exit.healthy;
}
