import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../config/load.js';
import { parseConfig } from '../config/parse.js';
import { readOriginals } from '../daemon/docker-app/originals.js';
import { isAbsent } from '../daemon/lib/is-absent.js';
import { readJournal } from '../daemon/api/journal.js';
import type { Outcome } from '../daemon/api/messages.js';
import { messageOf, plain } from '../daemon/lib/text.js';
import { alone } from './claim.js';
import { askToLeave, askVersion, untilAnswers } from './control.js';
import { exists, removeResolvers, unlinkCli } from './files.js';
import { enable, isLoaded, load, type Outside, unload } from './launchctl.js';
import type { Layout } from '../daemon/lib/layout.js';
import { Problem } from './problem.js';

/** How a removal is asked for, in words to type again. */
export interface Wording {
  readonly command: string;
  readonly purge: string;
  readonly force: string;
}

export const byMake: Wording = { command: 'sudo make uninstall-daemon', purge: 'PURGE=1', force: 'FORCE=1' };
export const byCommand: Wording = { command: 'sudo tuntapctl uninstall', purge: '--purge', force: '--force' };

/** What a program is told once it is done (docs/json.schema.json). */
export const answerOfRemoval = (said: readonly string[]): { removed: true; said: readonly string[] } => ({
  removed: true,
  said,
});

export interface Removal {
  readonly outside: Outside;
  readonly layout: Layout;
  /** Whether log and configuration go too. */
  readonly purge: boolean;
  /** Whether to go on although hyperkit is not what it was. */
  readonly force: boolean;
  readonly wording: Wording;
  /** Milliseconds that a daemon has to answer. */
  readonly timeout: number;
  readonly say: (line: string) => void;
}

/** The journalled hyperkits whose originals still lie beside them: shims that nobody has taken back. */
async function shimmed(layout: Layout): Promise<readonly string[]> {
  const found: string[] = [];
  for (const hyperkit of Object.keys(await readOriginals(layout.originals))) {
    if (!(await isAbsent(`${hyperkit}.original`))) found.push(hyperkit);
  }
  return found;
}

/** Where the link is: the gateways of journalled routes and, as nothing better is known, the configuration's. */
async function linkOf(layout: Layout): Promise<{ device: string; gateways: readonly string[] }> {
  const { tap } = await loadConfig(join(layout.configuration, 'config.toml'), {
    owner: layout.owner.uid,
  }).then(
    ({ config }) => config,
    () => parseConfig('', 'defaults'),
  );
  const { journal } = await readJournal(layout.journal);
  const gateways = new Set(journal.ownedRoutes.map(({ gateway }) => plain(gateway)));
  return { device: tap.device, gateways: gateways.size > 0 ? [...gateways] : [tap.peer] };
}

const byHand = (
  hyperkits: readonly string[],
  { device, gateways }: { device: string; gateways: readonly string[] },
): string =>
  [
    'What only the daemon can undo cleanly, and how to do it by hand:',
    '  hyperkit   next to it lies the original as …/com.docker.hyperkit.original; quit Docker, then as its owner:',
    '             mv -f com.docker.hyperkit.original com.docker.hyperkit',
    ...hyperkits.map((hyperkit) => `             here: ${plain(hyperkit, 1000)}`),
    `  routes     netstat -rn shows them with gateway ${gateways.join(' or ')}; a reboot or the end of the VM removes them`,
    '  VM rules   gone with the VM: restart Docker',
    `  /dev/${device}  root’s again after a reboot`,
  ].join('\n');

/** Only the running daemon has the grants to touch Docker.app (App Management): it is started once more if need be. */
async function leave(given: Removal): Promise<Outcome> {
  const { outside, layout, timeout, say } = given;
  const present = () => askVersion(layout.socket);
  try {
    const running = await untilAnswers(present, 0, outside.pause);
    if (!running.answer) {
      if (!(await exists(layout.plist)) || !(await exists(layout.runtime)))
        throw new Problem(
          `no daemon runs, and ${layout.plist} or ${layout.prefix} is missing to start one; both come back when tuntapd is installed again as it was (from a checkout: sudo make install-daemon)`,
        );
      say('no daemon answers; starting it once more to clean up');
      await unload(outside);
      await load(outside, layout.plist);
      const started = await untilAnswers(present, timeout, outside.pause);
      if (!started.answer) throw new Problem(`the daemon was started, but does not answer (${started.why})`);
    }
    return await askToLeave(layout.rootSocket);
  } catch (error) {
    return { done: false, problems: [messageOf(error)] };
  }
}

/** Removes as `remove` does, with nobody else at work. */
async function removeAlone(given: Removal): Promise<readonly string[]> {
  const { outside, layout, purge, force, wording, say } = given;
  const installed =
    (await isLoaded(outside)) ||
    (await exists(layout.plist)) ||
    (await exists(layout.prefix)) ||
    (await shimmed(layout)).length > 0;
  let problems: readonly string[] = [];
  if (installed) {
    const left = await leave(given);
    problems = left.problems.map((problem) => plain(problem, 1000));
    const list = problems.map((problem) => `  ${problem}\n`).join('');
    const hint = left.done ? '' : byHand(await shimmed(layout), await linkOf(layout));
    if (!left.done && !force)
      throw new Problem(
        `hyperkit could not be restored:\n${list}${hint}\n` +
          `Nothing was removed. Try again (${wording.command}), or remove it regardless (${wording.command} ${wording.force}).`,
      );
    if (left.done) say('hyperkit restored; addresses, routes and rules are gone');
    if (list !== '') say(`left as it is:\n${list.trimEnd()}`);
    if (!left.done) say(hint);
    await unload(outside);
  } else say('tuntapd is not installed');

  const gone = [
    layout.plist,
    layout.rotation,
    layout.prefix,
    layout.staged,
    layout.previous,
    layout.state,
    layout.socket,
    layout.rootSocket,
    layout.newResolver,
  ];
  for (const path of purge ? [...gone, layout.logs, layout.configuration] : gone)
    await rm(path, { recursive: true, force: true });
  await removeResolvers(layout);
  if ((await unlinkCli(layout)) === 'foreign') say(`${layout.cliLink} is not tuntapd’s and was left alone`);
  // So that no `disabled` of ours stays in launchd's database for a later installation to trip over.
  await enable(outside);

  const kept = [];
  for (const path of [layout.logs, layout.configuration]) if (await exists(path)) kept.push(path);
  if (kept.length > 0) say(`kept: ${kept.join(', ')} (${wording.purge} removes them too)`);
  return problems;
}

/**
 * Takes tuntapd off this Mac, hyperkit first and through the running daemon. Returns what could not be undone.
 * Throws Problem, with the daemon still in place, when hyperkit could not be restored or another installation or removal runs.
 */
export async function remove(given: Removal): Promise<readonly string[]> {
  return alone(given, 'uninstall', () => removeAlone(given));
}
