import type { Machine } from '../core/observation.js';
import { identityOf } from './identity.js';
import type { Process } from './processes.js';

/** What a command line begins with up to its first option or absolute path: the program, whose path may hold blanks. */
function programOf(cmd: string): string {
  const end = cmd.search(/ [-/]/);
  return end === -1 ? cmd : cmd.slice(0, end);
}

/**
 * `limactl hostagent --pidfile FOLDER/ha.pid --socket FOLDER/ha.sock … NAME`: one process for each VM of Lima's, with the
 * vz driver the VM's own (lima pkg/instance/start.go). colima runs Homebrew's limactl, Rancher Desktop a
 * `limactl.ventura` of its bundle, and Nix has a script before its own, which is a `.limactl-wrapped`. Paths may hold
 * blanks; a program that only reads limactl is none. The line is a user's words, so nothing goes through it more than once.
 */
function hostAgent(cmd: string): { limactl: string; folder: string } | null {
  const [verb, option, file] = [' hostagent ', '--pidfile /', '/ha.pid '];
  const at = cmd.indexOf(verb);
  if (at === -1) return null;
  const limactl = cmd.slice(0, at).replace(/ --debug$/, '');
  const name = limactl.lastIndexOf('/');
  const isLimactl = name > 0 && /^\/(?:limactl(?:\.[a-z]+)?|\.limactl-wrapped)$/.test(limactl.slice(name));
  if (!isLimactl || !limactl.startsWith('/') || programOf(limactl) !== limactl) return null;
  const words = `${cmd.slice(at + verb.length)} `;
  const from = words.indexOf(option);
  if (from === -1) return null;
  const to = words.indexOf(file, from + option.length + 1);
  return to === -1 ? null : { limactl, folder: words.slice(from + option.length - 1, to) };
}

/** OrbStack's VM manager. */
function isOrbStack(cmd: string): boolean {
  const program = programOf(cmd);
  const bundle = program.indexOf('/OrbStack.app/Contents/', 1);
  return (
    program.startsWith('/') && bundle !== -1 && /OrbStack Helper vmgr(?: |$)/.test(program.slice(bundle))
  );
}

/** Podman's network, one process for each of its VMs, on either hypervisor. */
function isPodman(cmd: string): boolean {
  const program = programOf(cmd);
  return (
    /^\/.*\/gvproxy$/s.test(program) &&
    cmd.startsWith(' -', program.length) &&
    cmd.includes('/podman', program.length)
  );
}

const others = [
  ['OrbStack', isOrbStack],
  ['Podman', isPodman],
] as const;

/** Whose a folder below a home of Lima's is: colima and Rancher Desktop have a home of their own, or Lima's. */
function nameOf(folder: string): 'colima' | 'Lima' | 'Rancher Desktop' {
  if (/\/rancher-desktop\/lima\/[^/]+$/.test(folder)) return 'Rancher Desktop';
  return /\/(?:_lima|\.lima)\/colima(?:-[^/]+)?$/.test(folder) ? 'colima' : 'Lima';
}

/** A user's VMs that are not Docker Desktop's, the oldest first. */
export const pickMachines = (processes: readonly Process[], { uid }: { uid: number }): readonly Machine[] =>
  processes
    .flatMap((process): Machine[] => {
      const { cmd = '' } = process;
      const identity = identityOf(process);
      if (identity?.uid !== uid) return [];
      const vm = (executable: string | null): Machine['vm'] => ({
        ...identity,
        startedWithTap: false,
        tapIsForeign: false,
        executable,
        kind: 'virtualization',
      });
      const agent = hostAgent(cmd);
      if (agent) return [{ name: nameOf(agent.folder), vm: vm(agent.limactl), folder: agent.folder }];
      const other = others.find(([, isIts]) => isIts(cmd));
      return other ? [{ name: other[0], vm: vm(null), folder: null }] : [];
    })
    .toSorted((one, other) => one.vm.startedAt.localeCompare(other.vm.startedAt));
