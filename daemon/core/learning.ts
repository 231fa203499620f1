import type { Config } from '../../config/schema.js';
import { tidyPath } from '../lib/tidy-path.js';
import { launchedNow } from './docker/first-launch.js';
import {
  type Bundles,
  type ConsoleUser,
  kindOf,
  type Observation,
  type Seen,
  valueOf,
} from './observation.js';
import type { Journalled, Lived, Memory } from './memory.js';
import { needsIpv6 } from './ipv6-need.js';
import { learnRestart } from './docker/restart.js';
import type { Look } from './judgement.js';

/** Bounds of what is kept: Macs have one Docker.app, and an update makes one more. */
const maxLaunched = 16;
const maxApps = 4;

/** Where a Docker.app is looked for whether or not one was ever seen there, the configured place first. */
export const usualApps = (config: Config, user: ConsoleUser | null): string[] => [
  // A shell completes a folder's name with a slash.
  ...(config.docker.app === undefined ? [] : [tidyPath(config.docker.app)]),
  '/Applications/Docker.app',
  ...(user ? [`${user.home}/Applications/Docker.app`] : []),
];

/** Docker.apps elsewhere that are looked for because a process says that it runs from there, which any process may. */
const maxRunning = 4;

/** Docker.apps that are looked for beside `places`: those `remembered`, and a few from which a process says that it runs. */
export function claimedApps(
  places: readonly string[],
  remembered: readonly string[],
  running: readonly string[],
): readonly string[] {
  const elsewhere = (apps: readonly string[]): string[] => apps.filter((app) => !places.includes(app));
  return [...elsewhere(remembered), ...[...new Set(elsewhere(running))].slice(0, maxRunning)];
}

/** The Docker.apps that are there, or may be, since they could not be looked at. */
export const appsThere = ({ withHyperkit, without, refused, replacing }: Bundles): string[] =>
  [...withHyperkit, ...without, ...refused, ...replacing].map(({ app }) => app);

/** Of the places that were remembered those where a Docker.app still is or runs. */
function stillThere(
  known: readonly string[],
  running: readonly string[],
  bundles: Seen<Bundles>,
): readonly string[] {
  if (!bundles.known) return known;
  const there = [...appsThere(bundles.value), ...running];
  return known.every((app) => there.includes(app)) ? known : known.filter((app) => there.includes(app));
}

const joined = (known: readonly string[], more: readonly string[], most: number): readonly string[] => {
  const fresh = more.filter((one) => !known.includes(one));
  return fresh.length === 0 ? known : [...known, ...new Set(fresh)].slice(-most);
};

/** Another runtime's VM tells nothing of Docker Desktop's next one, but that none is to come where no Docker.app is. */
function lastLinkOf({ vm, bundles }: Observation, { lastLink }: Memory): Memory['lastLink'] {
  const running = valueOf(vm);
  if (!running) return lastLink;
  if (!running.runtime) return kindOf(running) === 'hyperkit' ? 'tap' : 'vmnet';
  const there = valueOf(bundles);
  return there && appsThere(there).length === 0 ? null : lastLink;
}

/** What a look teaches that the next ones need; empty when nothing. Pure. */
export function learn(
  config: Config,
  { observation, link, link6 }: Look,
  memory: Memory,
): Partial<Journalled & Pick<Lived, 'mayBeSetUp' | 'ipv6'>> {
  const { docker, consoleUser, bundles } = observation;
  const usual = usualApps(config, consoleUser.known ? consoleUser.value : null);
  const elsewhere = (docker.known ? docker.value : [])
    .map(({ app }) => app)
    .filter((app) => !usual.includes(app));
  const launched = joined(memory.launched, launchedNow(observation), maxLaunched);
  const apps = joined(stillThere(memory.apps, elsewhere, bundles), elsewhere, maxApps);
  const restart = learnRestart(memory.restart, observation, link.vm !== null && !link.vm.runtime);
  const mayBeSetUp = link.vm && link.isAddressed ? link.vm.id : memory.mayBeSetUp;
  const isNeeded = needsIpv6(config, observation.engine, memory);
  const mayBeSetUp6 = link6?.vm && link6.isAddressed ? link6.vm.id : memory.ipv6.mayBeSetUp;
  const isSame6 = isNeeded === memory.ipv6.isNeeded && mayBeSetUp6 === memory.ipv6.mayBeSetUp;
  const lastLink = lastLinkOf(observation, memory);
  return {
    ...(lastLink === memory.lastLink ? {} : { lastLink }),
    ...(mayBeSetUp === memory.mayBeSetUp ? {} : { mayBeSetUp }),
    ...(isSame6 ? {} : { ipv6: { ...memory.ipv6, isNeeded, mayBeSetUp: mayBeSetUp6 } }),
    ...(launched === memory.launched ? {} : { launched }),
    ...(apps === memory.apps ? {} : { apps }),
    ...(restart === memory.restart ? {} : { restart }),
  };
}
