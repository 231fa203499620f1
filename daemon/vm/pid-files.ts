import { join } from 'node:path';

/**
 * Files in a home that come and go with a VM: Docker Desktop's pid files by HyperKit, and Lima's where colima, its template
 * for docker and Rancher Desktop have it.
 */
const places = [
  'Library/Containers/com.docker.docker/Data/vms/0/hyperkit.pid',
  'Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/hypervisor.pid',
  '.colima/_lima/colima/ha.pid',
  '.config/colima/_lima/colima/ha.pid',
  '.lima/docker/ha.pid',
  'Library/Application Support/rancher-desktop/lima/0/ha.pid',
];

/** What tells of a user's VMs. */
export const pidFilesIn = (home: string): readonly string[] => places.map((place) => join(home, place));
