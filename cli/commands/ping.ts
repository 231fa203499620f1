import { distance } from '../../config/keys.js';
import type { Status } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askStatus } from '../client.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { checkPath, type Hop, type Target, targetOf } from '../path-check.js';
import { signsFor } from '../signs.js';
import { painter, printJson, printLine, widthOf } from '../terminal.js';
import { hanging } from '../wrapping.js';

/** Names that were probably meant, the nearest first. */
function near(said: string, { containers = [] }: Status): readonly string[] {
  return containers
    .map(({ name }) => ({
      name,
      cost: name.includes(said) ? 0 : distance(said.slice(0, 64), name.slice(0, 64)),
    }))
    .filter(({ cost }) => cost <= Math.max(2, said.length / 3))
    .toSorted((a, b) => a.cost - b.cost)
    .slice(0, 3)
    .map(({ name }) => plain(name, 100));
}

/** Throws CliError, a usage error, for what can be no container’s name, id or address. */
export function mustName(said: string): void {
  if (plain(said) === '')
    throw new CliError(
      'which container? Give its name, the beginning of its id, or its address, like: web',
      exit.usage,
    );
}

/** The container that is meant, or why there is none. Throws CliError. */
export function wantedTarget(status: Status, said: string): Target {
  const found = targetOf(status, said);
  if (found) return found;
  const what = plain(said, 100);
  if (status.containers === undefined)
    throw new CliError(
      `Docker’s containers are not known, so nobody can tell where ${what} is: see tuntapctl status`,
    );
  const guess = near(said, status);
  const hint = guess.length === 0 ? 'see tuntapctl status --verbose' : `did you mean ${guess.join(', or ')}?`;
  throw new CliError(`no running container is called ${what}, or has that id or address: ${hint}`);
}

const colours = { pass: 'green', fail: 'red' } as const;

function tell(io: Io, { hop, status, detail, fix }: Hop): void {
  const signs = signsFor(io, io.stdout);
  const margin = signs[status].length + 1;
  const sign = painter(io, io.stdout)(colours[status], signs[status]);
  for (const line of hanging(sign, `${hop.padEnd(9)}  ${detail}`, widthOf(io.stdout), margin))
    printLine(io.stdout, line);
  for (const step of fix) printLine(io.stdout, `${' '.repeat(margin)}${signs.arrow} ${plain(step, 1000)}`);
}

/** `tuntapctl ping CONTAINER`: each hop of the way to it, as far as it goes; 0 when it goes all the way, 1 when not. */
export async function ping(io: Io, said: string, options: { json?: boolean }): Promise<number> {
  mustName(said);
  const status = await askStatus(io.socketPath);
  const target = wantedTarget(status, said);
  const hops: Hop[] = [];
  for await (const hop of checkPath(status, target, io)) {
    hops.push(hop);
    if (options.json !== true) tell(io, hop);
  }
  const isReached = hops.every((hop) => hop.status === 'pass');
  const { name, address } = target;
  if (options.json === true) printJson(io, { name, address, reached: isReached, hops });
  return isReached ? exit.healthy : exit.failed;
}
