import type { Action } from '../../daemon/api/messages.js';
import { plain } from '../../daemon/lib/text.js';
import { askFor } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { withProgress } from '../progress.js';
import { printJson, printLine } from '../terminal.js';

const said: Readonly<Record<Exclude<Action, 'leave'>, string>> = {
  up: 'The link is up (or comes up with Docker’s VM).',
  down: 'The link is down, and stays down until `tuntapctl up`.',
  restore: 'hyperkit is as Docker shipped it, and the link is down, until `tuntapctl up`.',
  restart: 'The link went down and is up again (or comes up with Docker’s VM).',
};

/** `tuntapctl up`, `down`, `restart` and `shim restore`; 0 when done, 1 when not. */
export async function act(
  io: Io,
  action: Exclude<Action, 'leave'>,
  options: { json?: boolean },
): Promise<number> {
  const outcome = await withProgress(io, action, askFor(io.layout, action));
  if (options.json === true) printJson(io, outcome);
  else {
    printLine(io.stdout, outcome.done ? said[action] : `${action} is not done:`);
    for (const problem of outcome.problems) printLine(io.stdout, `  ${plain(problem, 2000)}`);
  }
  return outcome.done ? exit.healthy : exit.failed;
}
