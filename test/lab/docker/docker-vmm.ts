/**
 * What runs when com.docker.sailor (Docker Desktop 4.86) is executed in the lab: Docker VMM, a real VM whose only NIC ends
 * in this process.
 * Called by the kernel (binfmt_misc, flag P): docker-vmm.js PATH ARGV0 ARGUMENTS…
 */
import { startVirtualMachine } from './virtual-machine.js';

const [, , , argv0 = '', ...args] = process.argv;
process.title = [argv0, ...args].join(' ');

await startVirtualMachine({ disk: 'vms/0/data/Docker.raw', nat: null, kernelLine: '' });
