import { run } from '../command.js';
import { type Route, type Seen, seen, unknown } from '../observation.js';
import { type AddRoute, type DeleteRoute, StepError } from '../steps.js';
import { messageOf, plain } from '../text.js';
import type { Run } from './console-user.js';
import { readRoutingTable } from './netstat.js';

/** The Mac's IPv4 routing table. */
export async function observeRoutes(command: Run = run): Promise<Seen<readonly Route[]>> {
  try {
    const { stdout, stderr, exitCode } = await command('/usr/sbin/netstat', ['-rn', '-f', 'inet']);
    if (exitCode !== 0 || !stdout.startsWith('Routing tables'))
      return unknown(`netstat: ${plain(stderr || stdout)}`);
    const { routes, unread } = readRoutingTable(stdout);
    // One odd row is nobody's loss; a table of which nothing is understood is not an empty one.
    if (routes.length === 0 && unread.length > 0)
      return unknown(`no row of the routing table can be read, e.g. “${plain(unread[0] ?? '')}”`);
    return seen(routes);
  } catch (error) {
    return unknown(messageOf(error));
  }
}

async function rowFor(subnet: string, command: Run): Promise<Route | undefined> {
  const table = await observeRoutes(command);
  if (!table.known)
    throw new StepError(`the routing table cannot be read: ${table.why}`, { reason: 'TableUnknown' });
  // Scoped rows (I) are another interface's; cloned ones (W) follow from the row that is looked for.
  return table.value.find(({ destination, flags }) => destination === subnet && !/[IW]/.test(flags));
}

const said = ({ stdout, stderr }: { stdout: string; stderr: string }): string => plain(`${stdout} ${stderr}`);

/**
 * Adds a route and proves it by the table, since `route` exits 0 when the kernel refused, and a gateway that is not
 * on-link is silently bound to the default route's interface (route.c). Never replaces anybody's route.
 */
export async function addRoute(
  step: Pick<AddRoute, 'subnet' | 'gateway' | 'interface'>,
  command: Run = run,
): Promise<void> {
  const { subnet, gateway, interface: name } = step;
  const foreign = (row: Route): StepError =>
    new StepError(
      `${subnet} already goes to ${row.gateway} on ${row.interface}; that route is not ours and stays. Take it away, or ` +
        'give the Docker network another subnet',
      { reason: 'ForeignRoute', blocked: true },
    );
  const isDone = (row: Route | undefined): boolean => row?.gateway === gateway && row.interface === name;
  const before = await rowFor(subnet, command);
  if (isDone(before)) return;
  if (before && before.gateway !== gateway) throw foreign(before);
  // Through our gateway on another interface: bound there while the tap had no address. Delete and add mend it.
  if (before) await deleteRoute({ subnet, gateway, interface: before.interface }, command);
  const result = await command('/sbin/route', ['-n', 'add', '-net', subnet, gateway]);
  const after = await rowFor(subnet, command);
  if (isDone(after)) return;
  if (!after) throw new StepError(`route add ${subnet}: ${said(result)}`, { reason: 'RouteRefused' });
  if (after.gateway !== gateway) throw foreign(after);
  await deleteRoute({ subnet, gateway, interface: after.interface }, command);
  throw new StepError(
    `the kernel bound ${subnet} to ${after.interface} instead of ${name}, so it was taken back: ${gateway} is not on ${name}`,
    { reason: 'RouteMisbound' },
  );
}

/** Deletes a route of ours. `route delete` ignores the gateway, so the table is read first: a foreign row stays. */
export async function deleteRoute(
  step: Pick<DeleteRoute, 'subnet' | 'gateway' | 'interface'>,
  command: Run = run,
): Promise<void> {
  const before = await rowFor(step.subnet, command);
  if (before?.gateway !== step.gateway || before.interface !== step.interface) return;
  const result = await command('/sbin/route', ['-n', 'delete', '-net', step.subnet, step.gateway]);
  const after = await rowFor(step.subnet, command);
  if (after?.gateway === step.gateway && after.interface === step.interface)
    throw new StepError(`route delete ${step.subnet}: ${said(result)}`, { reason: 'RouteRefused' });
}
