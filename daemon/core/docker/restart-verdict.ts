/**
 * What to do about a VM that runs without our tap although all is there for the next one. A restart of Docker is tried
 * once: never twice for a VM or for an installation of Docker before its link has come up, and never while somebody's
 * container would notice. Pure.
 */
import type { Config } from '../../../config/schema.js';
import { ageOf } from '../../lib/age.js';
import {
  type Bundle,
  type ConsoleUser,
  type DockerProcess,
  type Observation,
  valueOf,
  type Vm,
} from '../observation.js';
import type { LinkState } from '../link/link.js';
import type { Memory } from '../memory.js';

/** A container that runs for longer than this, in seconds, is somebody’s work (docs/decisions/0009). */
const untouchable = 60;
/** Milliseconds in which a VM that was given the tap opens it. */
const opening = 15_000;
/** Milliseconds after which an engine that has not answered will hardly do so. */
const engineStart = 180_000;

/** Whether the answer about the user's containers forbids a restart; it holds for the session, one that permits it for a moment. */
export const forbidsRestart = (containers: NonNullable<Observation['userContainer']>): boolean =>
  !containers.known || (containers.value !== null && containers.value.seconds > untouchable);

export type RestartVerdict =
  | { readonly act: 'none' }
  | { readonly act: 'wait'; readonly why: string; readonly forContainers: boolean }
  | { readonly act: 'ask'; readonly why: string; readonly vm: Vm; readonly user: ConsoleUser }
  | {
      readonly act: 'restart';
      readonly why: string;
      readonly vm: Vm;
      readonly user: ConsoleUser;
      readonly bundle: Bundle & { readonly identity: string };
      readonly gui: DockerProcess;
    };

/** The bundle from which the VM was started, when its next start will go by way of the shim. */
function readyBundle(observation: Observation, vm: Vm, gui: DockerProcess | null): Bundle | null {
  const { withHyperkit = [], replacing = [] } = valueOf(observation.bundles) ?? {};
  const bundle =
    withHyperkit.find(({ app }) => vm.executable?.startsWith(`${app}/`)) ??
    withHyperkit.find(({ app }) => app === gui?.app) ??
    (gui === null && withHyperkit.length === 1 ? withHyperkit[0] : undefined);
  return bundle?.target.kind === 'shim' &&
    bundle.original.kind === 'mach-o' &&
    !replacing.some(({ app }) => app === bundle.app)
    ? bundle
    : null;
}

/** An old VM proves nothing when the daemon has only just come: its engine must have been given time to answer us too. */
const isSilent = ({ engine }: Observation, age: number): boolean =>
  age >= engineStart && !engine.known && engine.reason !== undefined;

/** What is to be done about a VM that runs without the link. */
export function judgeRestart({
  config,
  observation,
  link,
  memory,
  collision,
}: {
  config: Config;
  observation: Observation;
  link: LinkState;
  memory: Memory;
  collision: string | null;
}): RestartVerdict {
  const found = memory.wanted === 'up' && link.kind === 'absent' ? link.missed : null;
  const gui = valueOf(observation.docker)?.find((process) => process.gui) ?? null;
  const bundle = found && readyBundle(observation, found.vm, gui);
  if (!found || !bundle || config.restartDocker === 'never' || memory.restart.reopen) return { act: 'none' };
  // The next VM's link could not be set up either; once it can, what runs by then counts.
  if (collision !== null) return { act: 'none' };
  const { vm, user } = found;
  const age = ageOf(Date.parse(vm.startedAt), observation.at);
  const wait = (why: string, forContainers = false): RestartVerdict => ({ act: 'wait', why, forContainers });
  const ask = (why: string): RestartVerdict => ({ act: 'ask', why, vm, user });
  if (vm.startedWithTap && !vm.tapIsForeign && age < opening) return wait('it is about to open the tap');
  if (config.restartDocker === 'ask') return ask('restartDocker is "ask"');
  const { identity } = bundle;
  const before = memory.restart.attempts.find((one) => one.vm === vm.id || one.bundle === identity);
  if (before) return ask(before.failed ?? 'tuntapd has restarted Docker once, and that did not help');
  if (gui?.app !== bundle.app || identity === null) return ask('Docker’s own process is not seen');
  const containers = observation.userContainer;
  if (containers === null)
    return isSilent(observation, age)
      ? ask('Docker Engine does not answer')
      : wait('Docker Engine has not told yet whether a container is at work', true);
  if (forbidsRestart(containers))
    return ask(
      containers.known ? `container ${containers.value?.name ?? ''} would be interrupted` : containers.why,
    );
  const lack = vm.tapIsForeign ? 'with another MAC on the tap' : 'without the tap';
  const why = `its VM runs ${lack}, and no container has been running for longer than a minute`;
  return { act: 'restart', why, vm, user, bundle: { ...bundle, identity }, gui };
}
