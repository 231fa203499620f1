import type { Machine } from '../core/observation.js';
import type { Process } from './processes.js';

/**
 * `limactl hostagent --pidfile FOLDER/ha.pid --socket FOLDER/ha.sock … NAME`: one process for each VM of Lima's, with the
 * vz driver the VM's own (lima pkg/instance/start.go). colima runs Homebrew's limactl, Rancher Desktop a
 * `limactl.ventura` of its bundle. Paths may hold blanks; a program that only reads limactl is none.
 */
const hostAgent =
  /^(\/(?:(?! [-/]).)*?\/limactl(?:\.[a-z]+)?) (?:--debug )?hostagent .*?--pidfile (\/.+?)\/ha\.pid(?: |$)/s;

/** OrbStack's VM manager; Podman's network, one process for each of its VMs, on either hypervisor. */
const others = [
  ['OrbStack', /^\/(?:(?! [-/]).)*?\/OrbStack\.app\/Contents\/(?:(?! [-/]).)*?OrbStack Helper vmgr(?: |$)/s],
  ['Podman', /^\/(?:(?! [-/]).)*?\/gvproxy -.*\/podman/s],
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
      const { pid, cmd = '', startTime } = process;
      if (process.uid !== uid || startTime === undefined) return [];
      const startedAt = startTime.toISOString();
      const vm = (executable: string | null): Machine['vm'] => ({
        id: `${pid}@${startedAt}`,
        pid,
        uid,
        startedAt,
        startedWithTap: false,
        tapIsForeign: false,
        executable,
        kind: 'virtualization',
      });
      const [, limactl, folder] = hostAgent.exec(cmd) ?? [];
      if (limactl !== undefined && folder !== undefined)
        return [{ name: nameOf(folder), vm: vm(limactl), folder }];
      const other = others.find(([, line]) => line.test(cmd));
      return other ? [{ name: other[0], vm: vm(null), folder: null }] : [];
    })
    .toSorted((one, other) => one.vm.startedAt.localeCompare(other.vm.startedAt));
