/** How a restart of Docker is carried out, and what a look teaches about it. Pure. */
import { inSentence, restartDocker } from '../../api/reasons/remedies.js';
import { ageOf } from '../../lib/age.js';
import type { Judgement } from '../judgement.js';
import { type Observation, valueOf } from '../observation.js';
import type { Step } from '../steps.js';
import type { RestartMemory } from './restart-memory.js';

/** Milliseconds in which an update that our own quit set off is waited for, and in which Docker is opened at all. */
const updating = 60_000;
const reopening = 600_000;

/** Quits Docker, or tells its user; in this VM once. */
export function restartSteps({ config, memory, restart: verdict }: Judgement): Step[] {
  if (verdict.act === 'restart') {
    const { vm, user, bundle, gui, why } = verdict;
    const key = `quit ${vm.id}`;
    return [{ kind: 'quit-docker', key, why, vm, user, gui, app: bundle.app, bundle: bundle.identity }];
  }
  if (verdict.act !== 'ask' || !config.notifications || memory.restart.told === verdict.vm.id) return [];
  const { vm, user, why } = verdict;
  const text = `Containers cannot be reached yet: ${inSentence(restartDocker)} (${why})`;
  return [{ kind: 'tell-user', key: `tell ${vm.id}`, why, vm: vm.id, user, text }];
}

/** Opens the Docker that we quit: after the shim, and not into an update that our quit set off. */
export function reopenSteps({ observation, memory }: Judgement): Step[] {
  const { reopen } = memory.restart;
  const user = valueOf(observation.consoleUser);
  if (!reopen || user?.uid !== reopen.uid) return [];
  const { docker, vm, runtimes, bundles } = observation;
  if (!docker.known || docker.value.some(({ gui }) => gui) || !vm.known || !bundles.known) return [];
  // Another runtime's VM is no sign of Docker Desktop's.
  if ([vm.value, runtimes?.desktop.vm].some((one) => one && !one.runtime)) return [];
  const { withHyperkit, without, refused, replacing } = bundles.value;
  const { app } = reopen;
  if (![...withHyperkit, ...without, ...refused].some((bundle) => bundle.app === app)) return [];
  const busy = replacing.some((bundle) => bundle.app === app);
  if (busy && ageOf(reopen.at, observation.at) < updating) return [];
  return [{ kind: 'open-docker', key: `open ${app}`, why: 'it was quit for its VM’s sake', app, user }];
}

/** What a look teaches about restarts; the same object when nothing. */
export function learnRestart(
  restart: RestartMemory,
  observation: Observation,
  attached: boolean,
): RestartMemory {
  const { reopen, attempts } = restart;
  const gui = valueOf(observation.docker)?.find((process) => process.gui);
  const age = reopen ? ageOf(reopen.at, observation.at) : 0;
  // After the clock was set back it is not known how long Docker has been closed: the time begins again.
  const isUndated = age === Infinity;
  const settled =
    reopen && ((gui !== undefined && gui.pid !== reopen.gui) || (age > reopening && !isUndated));
  if (!settled && !isUndated && !(attached && attempts.length > 0)) return restart;
  const left = reopen && isUndated ? { ...reopen, at: observation.at } : reopen;
  return { ...restart, reopen: settled ? null : left, attempts: attached ? [] : attempts };
}
