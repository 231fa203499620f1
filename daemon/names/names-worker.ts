/**
 * The child that answers for the zone, since every user of this Mac can talk to it: started as root from the daemon's
 * own runtime, it binds a port that only root can bind, and then gives root up before it reads a packet. Every line on
 * stdin is JSON: first who to become and which ports to try, then the names (`linesFor`). On stdout it says `port N` once it
 * answers, `failed WHY` when it cannot, and `stale` when what it told is no longer true. It ends with whoever started it.
 */
import '../lib/no-inspector.js';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { giveUpRoot } from '../lib/give-up-root.js';
import { inSlices } from '../lib/in-slices.js';
import { messageOf, plain } from '../lib/text.js';
import { createHistory } from './history.js';
import { bind, serve } from './serve.js';
import { createTableReader, type NamesTable } from './table.js';

interface Start {
  readonly uid: number;
  readonly gid: number;
  readonly ports: readonly number[];
}

const history = createHistory();
const read = createTableReader();
let table: NamesTable | null = null;
let port: number | null = null;
let begun = false;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Said by whichever comes last, the port or the first names: whoever hears it asks at once. */
const sayPort = (): void => {
  if (port !== null && table) say(`port ${port}`);
};

async function start({ uid, gid, ports }: Start): Promise<void> {
  try {
    const sockets = await bind(ports);
    giveUpRoot(uid, gid);
    serve(sockets, {
      table: () => table,
      onAsked: (asked, names) => {
        history.note(asked, names, performance.now());
      },
    });
    port = sockets.port;
    sayPort();
  } catch (error) {
    // Said first: where root cannot be given up the process ends right here.
    say(`failed ${plain(messageOf(error), 500)}`);
    giveUpRoot(uid, gid);
  }
}

let isLooking = false;

/** With a newer table that comes meanwhile it looks once more. */
async function sayIfStale(): Promise<void> {
  if (isLooking) return;
  isLooking = true;
  for (let looked: NamesTable | null = null; table && table !== looked;) {
    looked = table;
    if (await inSlices(history.findStale(looked, performance.now()))) say('stale');
  }
  isLooking = false;
}

function take(line: string): void {
  if (!begun) {
    begun = true;
    void start(JSON.parse(line) as Start);
    return;
  }
  const next = read(line);
  if (!next) return;
  const isFirst = table === null;
  table = next;
  if (isFirst) sayPort();
  void sayIfStale();
}

process.stdout.on('error', () => process.exit());
// Lines come many at once: whoever asks has a turn between two of them.
for await (const line of createInterface({ input: process.stdin })) {
  take(line);
  await turn();
}
process.exit();
