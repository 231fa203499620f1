import type { Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { printJson, printLine } from '../terminal.js';
import { routeLines } from './status.js';

/** Why there is no network to show: what the first of these conditions that does not hold says. */
function whyNone({ vm, conditions }: Status): string {
  if (vm === null) return 'Docker’s VM does not run';
  const trouble = ['VirtualMachine', 'Engine', 'Routes']
    .map((wanted) => conditions.find(({ type }) => type === wanted))
    .find((condition) => condition && condition.status !== 'True');
  return trouble ? plain(trouble.message, 1000) : 'the VM has none';
}

/** `tuntapctl routes`: every subnet of every Docker network, and why it is routed or not. */
export async function routes(io: Io, options: { json?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  if (options.json === true) printJson(io, answer.routes);
  else if (answer.routes.length === 0)
    printLine(io.stdout, `No Docker network is known (${whyNone(answer)}).`);
  else for (const line of routeLines(answer)) printLine(io.stdout, line);
  return exit.healthy;
}
