/**
 * Which runtime is followed, of several that a user has: Docker Desktop while it runs, else the one that docker's
 * current context leads to; or the one of the configured context, whatever else runs. Pure.
 */
import type { Config } from '../../../config/schema.js';
import type { ReasonOf } from '../../api/reasons/registry.js';
import { plain } from '../../lib/text.js';
import {
  type DockerContext,
  type Machine,
  type Runtimes,
  type Seen,
  seen,
  unknown,
  type Vm,
  type Vms,
} from '../observation.js';

export type RuntimeChoice =
  | { readonly kind: 'desktop' }
  /** `vm` has its runtime, and where that listens. */
  | { readonly kind: 'machine'; readonly vm: Vm }
  /** Nobody is followed. */
  | { readonly kind: 'none'; readonly reason: ReasonOf<'VirtualMachine'>; readonly message: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** Where Docker Desktop offers its engine, of whichever version. */
const isDesktops = (socket: string): boolean =>
  /\/\.docker\/|\/Library\/(?:Containers\/com\.docker\.docker|Group Containers\/group\.com\.docker)\//.test(
    socket,
  ) || /^(?:\/private)?\/var\/run\/docker\.sock$/.test(socket);

/** The last part of a path. */
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * Whether this VM's engine listens there. Lima keeps its sockets in the folder of the VM (templates/docker.yaml), Rancher
 * Desktop in `~/.rd`, and colima beside its configuration, by its profile: the VM of profile `x` is called `colima-x`,
 * that of `default` `colima` (colima config/profile.go). `COLIMA_HOME` and `XDG_CONFIG_HOME` move both together.
 */
function serves({ name, folder }: Machine, socket: string): boolean {
  if (name === 'OrbStack') return socket.includes('/.orbstack/');
  if (name === 'Podman' || folder === null) return socket.includes('/podman');
  if (socket.startsWith(`${folder}/`)) return true;
  if (name === 'Rancher Desktop') return socket.endsWith('/.rd/docker.sock');
  if (name === 'Lima') return false;
  const profile = nameOf(folder) === 'colima' ? 'default' : nameOf(folder).replace(/^colima-/, '');
  const [home] = folder.split(`/_lima/${nameOf(folder)}`);
  return (
    socket === `${home ?? ''}/${profile}/docker.sock` ||
    socket.endsWith(`colima/${profile}/docker.sock`) ||
    (profile === 'default' && socket.endsWith('/.colima/docker.sock'))
  );
}

const named = ({ name, vm: { pid } }: Machine): string => `${name}’s VM runs (pid ${pid})`;

/** What is to be said of a VM that can have no link, or needs none; null of the others. */
function unfit(machine: Machine): RuntimeChoice | null {
  if (machine.name === 'OrbStack')
    return {
      kind: 'none',
      reason: 'RoutesItself',
      message: `${named(machine)}: OrbStack has its containers answer on their own addresses by itself, and is left alone`,
    };
  if (machine.name === 'Podman')
    return {
      kind: 'none',
      reason: 'NoWayIn',
      message: `${named(machine)}: its only network is gvproxy, a program of the user’s, through which nothing gets to a container’s address`,
    };
  return null;
}

/** Without who logs in there, and with which password. */
function toldContext({ name, host }: DockerContext): string {
  const place = host.replace(/^([a-z][\w+.-]*:\/\/)?[^/?#]*@/i, '$1');
  return `“${plain(name, 80)}” (${plain(place, 200)})`;
}

function following(machine: Machine, socket: string): RuntimeChoice {
  const { name, vm } = machine;
  return unfit(machine) ?? { kind: 'machine', vm: { ...vm, runtime: { name, socket } } };
}

function byCurrentContext({ machines, context: seen }: Runtimes): RuntimeChoice {
  const [first] = machines;
  if (!first) return { kind: 'desktop' };
  const ofLima = machines.filter((machine) => unfit(machine) === null);
  // Whatever the context says, there is no link to be had.
  if (ofLima.length === 0) return unfit(first) ?? { kind: 'desktop' };
  if (!seen.known) return { kind: 'unknown', why: seen.why };
  const context = seen.value;
  const socket = context?.socket ?? null;
  const machine = socket === null ? undefined : machines.find((one) => serves(one, socket));
  if (machine && socket !== null) return following(machine, socket);
  const current = context ? toldContext(context) : 'one that is not there';
  return {
    kind: 'none',
    reason: 'NotChosen',
    message:
      `${ofLima.map(named).join('; ')}, but docker’s current context is ${current}: choose the VM’s with ` +
      '`docker context use …`, or name it with `sudo tuntapctl config set docker.context …`',
  };
}

function byName(
  { docker: { context: name }, link }: Config,
  { machines, context: seen }: Runtimes,
): RuntimeChoice {
  if (!seen.known) return { kind: 'unknown', why: seen.why };
  const context = seen.value;
  if (!context)
    return {
      kind: 'none',
      reason: 'ContextMissing',
      message: `docker.context is “${plain(name, 80)}”, and this user has no context of docker’s of that name`,
    };
  const { socket } = context;
  if (socket === null)
    return {
      kind: 'none',
      reason: 'ContextNotLocal',
      message: `docker.context is ${toldContext(context)}, which is no unix socket of this Mac`,
    };
  if (isDesktops(socket)) return { kind: 'desktop' };
  const machine = machines.find((one) => serves(one, socket));
  return machine
    ? following(machine, socket)
    : {
        kind: 'none',
        reason: 'NotRunning',
        message:
          link === 'tap'
            ? `link is “tap”, which a VM of Docker Desktop’s alone can have: the one that docker’s context ${toldContext(context)} leads to is not looked for`
            : `no VM runs whose engine docker’s context ${toldContext(context)} leads to; everything is set up when it starts`,
      };
}

/** Whether Docker Desktop comes first; also while it is closed for its VM's sake alone. */
const isInUse = ({ vm, runs, isOwed = false }: Runtimes['desktop']): boolean => vm !== null || runs || isOwed;

/** Whose VM is followed. `desktop`: whatever Docker Desktop has, a VM or none. */
export function chooseRuntime(config: Config, runtimes: Runtimes): RuntimeChoice {
  const { desktop } = runtimes;
  if (config.docker.context !== 'auto') return byName(config, runtimes);
  return isInUse(desktop) ? { kind: 'desktop' } : byCurrentContext(runtimes);
}

/**
 * The VM that is followed, and Docker Desktop's others. Where another runtime is followed Docker Desktop's own VM is no
 * other one: it is neither in the way nor left over.
 */
export function followedVm(
  config: Config,
  vms: Seen<Vms>,
  runtimes: Runtimes | undefined,
): { readonly vm: Seen<Vm | null>; readonly others: readonly Vm[] } {
  if (!vms.known) return { vm: vms, others: [] };
  const { vm, others } = vms.value;
  const choice: RuntimeChoice = runtimes ? chooseRuntime(config, runtimes) : { kind: 'desktop' };
  switch (choice.kind) {
    case 'desktop':
      return { vm: seen(vm), others };
    case 'unknown':
      return { vm: unknown(choice.why), others };
    case 'machine':
    case 'none':
      return {
        vm: seen(choice.kind === 'machine' ? choice.vm : null),
        others: others.filter(({ uid }) => uid !== vm?.uid),
      };
  }
}

/** Whether the choice hangs on the context, so that it has to be known. */
export const needsContext = (
  { docker: { context } }: Config,
  { desktop, machines }: Omit<Runtimes, 'context'>,
): boolean =>
  context !== 'auto' || (!isInUse(desktop) && machines.some((machine) => unfit(machine) === null));

/** What else runs and is not followed, as the end of a sentence; empty: nothing. `followed`: the VM that is. */
export function toldBeside(
  { docker: { context } }: Config,
  { desktop, machines }: Runtimes,
  followed: Vm | null,
): string {
  const others = [
    ...(desktop.vm && desktop.vm.id !== followed?.id ? [{ name: 'Docker Desktop', vm: desktop.vm }] : []),
    ...machines.filter(({ vm }) => vm.id !== followed?.id),
  ].map(({ name, vm: { pid } }) => `${name} (pid ${pid})`);
  if (others.length === 0) return '';
  const why =
    context === 'auto'
      ? followed?.runtime
        ? 'docker’s current context is not theirs'
        : 'Docker Desktop comes first, unless docker.context names another'
      : `docker.context is “${plain(context, 80)}”`;
  return `; ${others.join(', ')} ${others.length === 1 ? 'runs' : 'run'} too, and ${others.length === 1 ? 'is' : 'are'} not followed: ${why}`;
}
