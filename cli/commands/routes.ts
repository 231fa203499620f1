import type { Route, Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { marks, signsFor } from '../signs.js';
import { printJson, printLine, table } from '../terminal.js';

/** Why there is no network to show: what the first of these conditions that does not hold says. */
function whyNone({ vm, conditions }: Status): string {
  if (vm === null) return 'Docker’s VM does not run';
  const trouble = ['VirtualMachine', 'Engine', 'Routes']
    .map((wanted) => conditions.find(({ type }) => type === wanted))
    .find((condition) => condition && condition.status !== 'True');
  return trouble ? plain(trouble.message, 1000) : 'the VM has none';
}

/** Networks like `host`, whose containers have no addresses of their own. */
const hasSubnet = ({ subnet }: Route): boolean => subnet !== '-';

/**
 * `tuntapctl routes`: every subnet of Docker’s networks, and why it is routed or not; with `all`, and as JSON, also the
 * networks that have none.
 */
export async function routes(io: Io, options: { json?: boolean; all?: boolean }): Promise<number> {
  const answer = await askStatus(io.socketPath);
  if (options.json === true) {
    printJson(io, answer.routes);
    return exit.healthy;
  }
  if (answer.routes.length === 0) {
    printLine(io.stdout, `No Docker network is known (${whyNone(answer)}).`);
    return exit.healthy;
  }
  const signs = signsFor(io, io.stdout);
  const shown = options.all === true ? answer.routes : answer.routes.filter(hasSubnet);
  const rows = shown.map(({ subnet, network, state, why }) => [
    signs[marks[state]],
    plain(subnet, 60),
    plain(network, 80),
    state,
    plain(why, 1000),
  ]);
  for (const line of table(rows)) printLine(io.stdout, line);
  const without = answer.routes
    .filter((route) => !shown.includes(route))
    .map(({ network }) => plain(network, 80));
  if (without.length > 0)
    printLine(io.stdout, `Without a subnet: ${without.join(', ')} (see tuntapctl routes --all)`);
  return exit.healthy;
}
