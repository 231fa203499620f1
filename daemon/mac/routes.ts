import { run, type Run } from '../lib/command.js';
import { type Route, type Seen, seen, unknown } from '../core/observation.js';
import { isRowOf } from '../core/routes/table.js';
import { type AddRoute, StepError } from '../core/steps.js';
import { type Family, isIpv6 } from '../lib/prefix.js';
import { messageOf, plain } from '../lib/text.js';
import { readRoutingTable, type RoutingTable } from './netstat.js';
import { readRoutingTable6 } from './netstat-inet6.js';

/** How macOS's commands are told of a family, and what they print of it read. */
const inWords: Readonly<
  Record<
    Family,
    {
      readonly netstat: string;
      readonly route: string;
      readonly read: (text: string) => RoutingTable;
      readonly condition: 'Routes' | 'Ipv6';
    }
  >
> = {
  4: { netstat: 'inet', route: '-net', read: readRoutingTable, condition: 'Routes' },
  // Before the addresses, or they are taken for names; the length is always written, or they are hosts (route.c).
  6: { netstat: 'inet6', route: '-inet6', read: readRoutingTable6, condition: 'Ipv6' },
};

/** Bytes: a VPN that sends a whole country through its tunnel has tens of thousands of rows. */
const maxTable = 16 * 1024 * 1024;

/** The Mac's routing table of one family. */
export async function observeRoutes(command: Run = run, family: Family = 4): Promise<Seen<readonly Route[]>> {
  const { netstat, read } = inWords[family];
  try {
    const { stdout, stderr, exitCode } = await command('/usr/sbin/netstat', ['-rn', '-f', netstat], {
      maxOutput: maxTable,
    });
    if (exitCode !== 0 || !stdout.startsWith('Routing tables'))
      return unknown(`netstat: ${plain(stderr || stdout)}`);
    const { routes, unread } = read(stdout);
    // One odd row is nobody's loss; a table of which nothing is understood is not an empty one.
    if (routes.length === 0 && unread.length > 0)
      return unknown(`no row of the routing table can be read, e.g. “${plain(unread[0] ?? '')}”`);
    return seen(routes);
  } catch (error) {
    return unknown(messageOf(error));
  }
}

/** Rows that `route` could find, by prefix. Throws while the table cannot be read. */
async function readRows(command: Run, family: Family): Promise<ReadonlyMap<string, Route>> {
  const table = await observeRoutes(command, family);
  if (!table.known)
    throw new StepError(`the routing table cannot be read: ${table.why}`, {
      condition: inWords[family].condition,
      reason: 'TableUnknown',
    });
  return new Map(
    table.value.filter((row) => isRowOf(row.destination.text, row)).map((row) => [row.destination.text, row]),
  );
}

type Target = Pick<AddRoute, 'subnet' | 'gateway' | 'interface'>;

/** The family of routes that are worked on together: they are of one. */
const familyOf = ([first]: readonly Target[]): Family => (isIpv6(first?.subnet ?? '') ? 6 : 4);

/** `route` takes one route a process. */
const atOnce = 8;
/** Deletes so many by one reading of the table: `route` asks for no gateway, and a row may become another's meanwhile. */
const maxDeleted = 50;

interface Said {
  readonly text: string;
  /** The kernel's answers to what it refused stand on stderr too, whatever the exit code. */
  readonly refused: boolean;
}

/** Runs `route -n VERB` for each, a few at once; returns what each said, by subnet. */
async function routeEach(
  verb: 'add' | 'delete',
  targets: readonly Target[],
  command: Run,
): Promise<ReadonlyMap<string, Said>> {
  const said = new Map<string, Said>();
  const rest = [...targets];
  const { route } = inWords[familyOf(targets)];
  const work = async (): Promise<void> => {
    for (let target = rest.shift(); target; target = rest.shift()) {
      const { subnet, gateway } = target;
      try {
        const { stdout, stderr } = await command('/sbin/route', ['-n', verb, route, subnet, gateway]);
        said.set(subnet, { text: plain(`${stdout} ${stderr}`), refused: stderr.trim() !== '' });
      } catch (error) {
        said.set(subnet, { text: messageOf(error), refused: true });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return said;
}

const leadsTo = (row: Route | undefined, { gateway, interface: name }: Target): boolean =>
  row?.gateway === gateway && row.interface === name;

async function deleteSome(targets: readonly Target[], command: Run): Promise<readonly (Error | null)[]> {
  const family = familyOf(targets);
  const before = await readRows(command, family);
  const asked = targets.filter((target) => leadsTo(before.get(target.subnet), target));
  if (asked.length === 0) return targets.map(() => null);
  const said = await routeEach('delete', asked, command);
  const after = await readRows(command, family);
  return targets.map((target) =>
    leadsTo(after.get(target.subnet), target)
      ? new StepError(`route delete ${target.subnet}: ${said.get(target.subnet)?.text ?? ''}`, {
          condition: inWords[family].condition,
          reason: 'RouteRefused',
        })
      : null,
  );
}

/**
 * Deletes routes of ours. `route delete` ignores the gateway, so the table is read first: a foreign row stays. Returns
 * for each what went wrong, or null; rejects while the table cannot be read.
 */
export async function deleteRoutes(
  targets: readonly Target[],
  command: Run = run,
): Promise<readonly (Error | null)[]> {
  const results: (Error | null)[] = [];
  for (let from = 0; from < targets.length; from += maxDeleted)
    results.push(...(await deleteSome(targets.slice(from, from + maxDeleted), command)));
  return results;
}

const foreign = (target: Target, row: Route): StepError =>
  new StepError(
    `${target.subnet} already goes to ${row.gateway} on ${row.interface}; that route is not ours and stays. Take it away, or ` +
      'give the Docker network another subnet',
    { condition: inWords[familyOf([target])].condition, reason: 'ForeignRoute', blocked: true },
  );

/** Those that lead to our gateway on another interface, with that: bound there while the tap had no address. */
const misbound = (rows: ReadonlyMap<string, Route>, targets: readonly Target[]): readonly Target[] =>
  targets.flatMap((target) => {
    const row = rows.get(target.subnet);
    return row?.gateway === target.gateway && row.interface !== target.interface
      ? [{ ...target, interface: row.interface }]
      : [];
  });

/**
 * Adds routes of one family and proves them by the table, since `route` exits 0 when the kernel refused, and a gateway
 * that is not on-link is silently bound to the default route's interface (route.c). Never replaces anybody's route. Returns for
 * each what went wrong, or null; rejects while the table cannot be read.
 */
export async function addRoutes(
  targets: readonly Target[],
  command: Run = run,
): Promise<readonly (Error | null)[]> {
  // Not looked for before: what is there already the kernel keeps as it is (`File exists`).
  const family = familyOf(targets);
  const { condition } = inWords[family];
  const said = new Map(await routeEach('add', targets, command));
  let rows = await readRows(command, family);
  // A route that was there before is made again; a new one would be bound there once more.
  const stale = misbound(rows, targets).filter(({ subnet }) => said.get(subnet)?.refused === true);
  if (stale.length > 0) {
    await deleteRoutes(stale, command);
    for (const [subnet, words] of await routeEach('add', stale, command)) said.set(subnet, words);
    rows = await readRows(command, family);
  }
  const bound = misbound(rows, targets);
  if (bound.length > 0) await deleteRoutes(bound, command);
  return targets.map((target): Error | null => {
    const { subnet, gateway, interface: name } = target;
    const row = rows.get(subnet);
    if (leadsTo(row, target)) return null;
    if (!row) {
      const told = said.get(subnet);
      // Added, and gone already: the next look sees that something removed it, and counts that.
      if (told?.refused === false) return null;
      return new StepError(`route add ${subnet}: ${told?.text ?? ''}`, {
        condition,
        reason: 'RouteRefused',
      });
    }
    if (row.gateway !== gateway) return foreign(target, row);
    return new StepError(
      `the kernel bound ${subnet} to ${row.interface} instead of ${name}, so it was taken back: ${gateway} is not on ${name}`,
      { condition, reason: 'RouteMisbound' },
    );
  });
}
