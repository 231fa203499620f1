import { type Held, hold } from '../mac/rpc.js';
import type { Nic } from '../mac/vmnet.js';
import { macAddress } from '../mac/xnu/mac-address.js';
import { freePort, machineArguments, overlayOn, runVm, vmFiles } from './qemu.js';

/**
 * The VM of a program that uses the Virtualization framework: its first NIC is the app's own network in user space, the
 * second, with `nat`, one of macOS's vmnet, for as long as this process lives. Returns when the VM has been started.
 */
export async function startVirtualMachine(options: {
  /** The guest's disk. */
  readonly disk: string;
  /** The MAC of the second NIC; null for none. */
  readonly nat: string | null;
  /** What the guest's kernel is told of its NICs. */
  readonly kernelLine: string;
  /** Done when the VM has ended, before this process does. */
  readonly cleanUp?: () => void;
}): Promise<void> {
  const files = vmFiles();
  const port = await freePort();
  const nic: Held<Nic> | null =
    options.nat === null ? null : await hold<Nic>('vmnet.attach', { uid: process.getuid?.() ?? 0 });
  const second =
    nic === null
      ? []
      : [
          ...['-netdev', `tap,id=net1,ifname=${nic.value.name},script=no,downscript=no`],
          ...['-device', `virtio-net-pci,netdev=net1,mac=${options.nat ?? ''},addr=0x4,romfile=`],
        ];
  const vm = runVm(
    [
      ...machineArguments(files, overlayOn(files.disk, options.disk), ` ${options.kernelLine}`),
      ...['-netdev', `user,id=net0,hostfwd=tcp:127.0.0.1:${port}-:2375`],
      ...['-device', `virtio-net-pci,netdev=net0,mac=${macAddress()},addr=0x3,romfile=`],
      ...second,
    ],
    port,
    options.cleanUp ?? (() => undefined),
  );
  nic?.onLine((line) => {
    if (line === 'link') vm.tell('link eth1');
  });
}
