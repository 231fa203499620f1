/** A Docker whose VM runs by the Virtualization framework, as tests speak of it. */
import { join } from 'node:path';
import { colimaPaths } from '../../lab/docker/colima-files.js';
import { shellFile } from '../../lab/docker/qemu.js';
import type { Mac } from '../../lab/lab.js';
import { dockerClient, type DockerClient } from './docker-client.js';
import { dockerOf, must } from './vocabulary.js';
import { until } from '../../lib/until.js';

/** What `bootMac` is told for a Mac with Apple silicon and the Docker Desktop of these days. */
export const appleSilicon = {
  macos: '26.2',
  processor: 'arm64',
  docker: { version: '4.90.0', layout: null, cli: 'with-desktop' },
} as const;

const settingsStore = '$HOME/Library/Group Containers/group.com.docker/settings-store.json';

/**
 * What a person leaves in Docker's settings while it does not run. `KernelForUDP` is "Use kernel networking for UDP",
 * `UseLibkrun` is Docker VMM, `UseVirtualizationFramework: false` is HyperKit where the bundle has it.
 */
export async function setDocker(mac: Mac, settings: Readonly<Record<string, boolean>>): Promise<void> {
  const { exitCode, stderr } = await mac.asUser(
    ['/bin/sh', '-c', `mkdir -p "$(dirname "${settingsStore}")" && cat >"${settingsStore}"`],
    { input: JSON.stringify({ SettingsVersion: 43, ...settings }, null, 2) },
  );
  if (exitCode !== 0) throw new Error(`Docker's settings: ${stderr}`);
}

/** Has Docker restart itself, as `docker desktop restart` does. */
export async function restartDocker(mac: Mac): Promise<void> {
  const docker = '/Applications/Docker.app/Contents/Resources/bin/docker';
  const { exitCode, stderr } = await mac.asUser([docker, 'desktop', 'restart'], { timeout: 180_000 });
  if (exitCode !== 0) throw new Error(`docker desktop restart: ${stderr}`);
}

/** The engine of person's colima. */
export function colimaOf(mac: Mac): DockerClient {
  const { socket, instance } = colimaPaths(mac.path('/Users/person'));
  return dockerClient(socket, join(instance, shellFile));
}

export interface VmNic {
  readonly mac: string;
  readonly address: string;
}

/** The VM's NIC on a bridge of macOS's, as the VM has it, once it has an IPv4 address. */
export const vmNic = (mac: Mac, docker = dockerOf(mac), name = 'eth1'): Promise<VmNic> =>
  until(`the VM's ${name} has an IPv4 address`, 60, async () => {
    const said = await docker.inVm(`ip -color=never address show dev ${name}`);
    const [, address] = /inet (\S+)\/24/.exec(said) ?? [];
    const [, macAddress] = /link\/ether (\S+)/.exec(said) ?? [];
    return address !== undefined && macAddress !== undefined && { address, mac: macAddress };
  });

/** The Mac's bridges for VMs. */
export const bridgesOf = async (mac: Mac): Promise<string[]> =>
  (await must(mac, ['/sbin/ifconfig', '-l']))
    .trim()
    .split(' ')
    .filter((name) => name.startsWith('bridge'));

/** pid of the VM that Docker runs by the Virtualization framework; null without one. */
export async function virtualMachineOf(mac: Mac): Promise<number | null> {
  const said = await must(mac, ['/bin/ps', '-axww', '-o', 'pid=,args=']);
  const found = /^ *(\d+) \S+\/Contents\/MacOS\/com\.docker\.virtualization --kernel /m.exec(said)?.[1];
  return found === undefined ? null : Number(found);
}

export interface RouteByBridge {
  readonly destination: string;
  readonly gateway: string;
  readonly bridge: string;
}

/** What somebody leads to a VM by a bridge, as netstat prints it; the bridge's own rows are none. */
export const routesByBridge = async (mac: Mac): Promise<RouteByBridge[]> =>
  (await must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet']))
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .flatMap(([destination = '', gateway = '', flags = '', bridge = '']) =>
      flags.startsWith('UGS') && bridge.startsWith('bridge') ? [{ destination, gateway, bridge }] : [],
    );

/** All of Docker's networks are led to the NIC that the VM has now, and to nothing else. */
export const leadsToTheNic = (mac: Mac): Promise<unknown> =>
  until('every route leads to the NIC', 60, async () => {
    const { address } = await vmNic(mac);
    const routes = await routesByBridge(mac);
    return routes.length >= 2 && routes.every(({ gateway }) => gateway === address);
  });
