import { rm } from 'node:fs/promises';
import { messageOf } from '../daemon/lib/text.js';
import { alone } from './claim.js';
import { type Answer, askStatus, untilAnswers } from './control.js';
import { exists, folder, linkCli, mendSwap, stage, swapBack, swapIn, textOf, write } from './files.js';
import { daemonPlist, renderPlist } from './io.github.tuntapd.plist.js';
import { isLoaded, load, type Outside, unload } from './launchctl.js';
import type { Layout } from '../daemon/lib/layout.js';
import { rotationOf } from './newsyslog.js';
import type { Origin } from './origin.js';
import { Problem } from './problem.js';
import type { Product } from './product.js';
import { requireSignature } from './signature.js';
import { untrusted } from '../daemon/lib/trusted-path.js';

export interface Installation {
  readonly outside: Outside;
  readonly layout: Layout;
  readonly product: Product;
  readonly origin: Origin;
  /** The official runtime that is copied. */
  readonly runtime: string;
  /** Its version. */
  readonly node: string;
  /** What is to be said of it before it is installed; null when nothing is. */
  readonly caution: string | null;
  /** Milliseconds that the daemon has to answer. */
  readonly timeout: number;
  readonly say: (line: string) => void;
}

async function requireTrusted({ layout }: Installation): Promise<void> {
  const places = [
    layout.prefix,
    layout.staged,
    layout.previous,
    layout.plist,
    layout.state,
    layout.claims,
    layout.logs,
    layout.rotation,
  ];
  const problems = new Set<string>();
  for (const place of places)
    for (const problem of await untrusted(place, { from: layout.root, uid: layout.owner.uid }))
      problems.add(problem);
  if (problems.size === 0) return;
  throw new Problem(
    'Nobody but root may be able to change what root runs, but:\n' +
      [...problems].map((problem) => `  ${problem}\n`).join('') +
      'Make root their owner (sudo chown root:wheel FOLDER; sudo chmod go-w FOLDER) and try again. Nothing was changed.',
  );
}

const whereToLook = (layout: Layout): string =>
  `Look at: sudo tail ${layout.logs}/tuntapd.log ${layout.launchdLog}`;

/** Puts everything at its place and starts it. Throws when launchd refuses or the daemon does not answer. */
async function start(given: Installation): Promise<Answer> {
  const { layout, outside, timeout } = given;
  await swapIn(layout);
  await folder(layout.state, 0o700, layout.owner.uid, layout.owner.gid);
  await folder(layout.logs, 0o750, layout.owner.uid, layout.readers);
  await write(layout.rotation, rotationOf(layout), layout);
  await write(layout.plist, renderPlist(daemonPlist(layout)), layout);
  await load(outside, layout.plist);
  const { answer, ...silence } = await untilAnswers(() => askStatus(layout.socket), timeout, outside.pause);
  if (answer) return answer;
  const why = 'why' in silence ? silence.why : '';
  throw new Problem(
    `launchd started the daemon, but ${layout.socket} gave no answer within ${Math.round(timeout / 1000)} s (${why}). ${whereToLook(layout)}`,
  );
}

/** What an installation that is upgraded has outside of its prefix. */
interface Before {
  readonly plist: string;
  readonly rotation: string | null;
  readonly wasLoaded: boolean;
}

/** The old installation runs again, after the new one failed because of `error`. Always throws. */
async function goBack(given: Installation, before: Before, error: unknown): Promise<never> {
  const { layout, outside, timeout } = given;
  let outcome = 'The previous version is back, and not loaded, as before.';
  try {
    await unload(outside);
    await swapBack(layout);
    await write(layout.rotation, before.rotation, layout);
    await write(layout.plist, before.plist, layout);
    if (before.wasLoaded) {
      await load(outside, layout.plist);
      const { answer } = await untilAnswers(() => askStatus(layout.socket), timeout, outside.pause);
      outcome = answer
        ? `The previous version (${answer.version}) is back and runs.`
        : 'The previous version is back and was started, but does not answer either.';
    }
  } catch (second) {
    outcome = `Going back to the previous version failed too: ${messageOf(second)}`;
  }
  throw new Problem(`${messageOf(error)}\n${outcome}`, { cause: error });
}

/** Nothing was installed before and launchd would not take this one: as if nothing had happened. Always throws. */
async function giveUp(given: Installation, error: unknown): Promise<never> {
  const { layout, outside } = given;
  const loaded = await isLoaded(outside);
  // Once it ran it may have given hyperkit the shim: only a daemon can take that back.
  if (loaded)
    throw new Problem(
      `${messageOf(error)}\nIt stays installed, and launchd keeps starting it. To remove it: sudo ${layout.cli} uninstall, or sudo make uninstall-daemon`,
      { cause: error },
    );
  for (const path of [layout.plist, layout.rotation, layout.prefix, layout.staged])
    await rm(path, { recursive: true, force: true });
  throw new Problem(`${messageOf(error)}\nNothing stays installed.`, { cause: error });
}

/** Installs as `install` does, with nobody else at work. */
async function installAlone(given: Installation): Promise<Answer> {
  const { layout, outside, product, origin, runtime, node, caution, say } = given;
  await mendSwap(layout);
  // An installation whose plist was deleted can be gone back to all the same.
  const oldPlist = (await exists(layout.prefix))
    ? ((await textOf(layout.plist)) ?? renderPlist(daemonPlist(layout)))
    : null;
  const rotation = await textOf(layout.rotation);

  const { uid, gid } = layout.owner;
  for (const path of [layout.prefix, layout.plist, layout.rotation]) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (!(await exists(parent))) await folder(parent, 0o755, uid, gid);
  }
  try {
    await requireSignature(outside, await stage(layout, product, runtime, outside, origin), runtime, origin);
  } catch (error) {
    await rm(layout.staged, { recursive: true, force: true });
    throw error;
  }
  say(`files are ready (${product.version}, node ${node})`);
  if (caution !== null) say(`warning: ${caution}`);

  const wasLoaded = await isLoaded(outside);
  if (wasLoaded) {
    await unload(outside);
    say('the old daemon has ended; addresses and routes stay as they are meanwhile');
  }
  let answer;
  try {
    answer = await start(given);
  } catch (error) {
    return await (oldPlist === null
      ? giveUp(given, error)
      : goBack(given, { plist: oldPlist, rotation, wasLoaded }, error));
  }
  await rm(layout.previous, { recursive: true, force: true });
  say(`${layout.prefix} and ${layout.plist} are in place, launchd has started the daemon`);

  const link = await linkCli(layout);
  if (link === 'foreign')
    say(`warning: ${layout.cliLink} is not tuntapd’s and was left alone; the command is ${layout.cli}`);
  if (link === 'absent')
    say(
      `warning: ${layout.cliLink} was not made: its folder is missing, or leads to where others than root may write; the command is ${layout.cli}`,
    );
  return answer;
}

/**
 * Installs, or upgrades in place: on the way there is always an old or a new daemon that works. Returns what the
 * new one says of itself; throws Problem with what was tried, what happened and how things stand.
 */
export async function install(given: Installation): Promise<Answer> {
  await requireTrusted(given);
  return alone(given, 'install', () => installAlone(given));
}
