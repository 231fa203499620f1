/**
 * What runs when a Mach-O hyperkit is executed in the lab: reads its command line as hyperkit does, opens the tap
 * as the calling user, writes the pid file and becomes a real VM in QEMU.
 * Called by the kernel (binfmt_misc, flag P): hyperkit.js PATH ARGV0 ARGUMENTS…
 */
import { createHash } from 'node:crypto';
import { constants, openSync, rmSync, writeFileSync } from 'node:fs';
import { hold } from '../mac/rpc.js';
import { type Device, guestNics, parseHyperkitArguments } from './hyperkit-arguments.js';
import { freePort, giveUp, machineArguments, overlayOn, runVm, type VmFiles, vmFiles } from './qemu.js';

const [, , path = '', argv0 = '', ...args] = process.argv;
process.title = [argv0, ...args].join(' ');

/** hyperkit's own default (pci_virtio_net_tap.c): 00:a0:98 and three bytes of MD5("slot-func-vmname"). */
function macOf({ slot, func, options }: Device): string {
  const given = /(?:^|,)mac=([0-9a-fA-F:]+)/.exec(options)?.[1];
  if (given !== undefined) return given;
  const digest = createHash('md5').update(`${slot}-${func}-vm`).digest('hex');
  return ['00', 'a0', '98', digest.slice(0, 2), digest.slice(2, 4), digest.slice(4, 6)].join(':');
}

/** Opens /dev/tapN as this user and has the interface made; null with hyperkit's warning when that fails. */
async function openTap(name: string): Promise<string | null> {
  try {
    openSync(`/dev/${name}`, constants.O_RDWR | constants.O_NONBLOCK);
    const uid = process.getuid?.() ?? 0;
    await hold('xnu.tap.open', { unit: Number(name.replace('tap', '')), pid: process.pid, uid });
    return name;
  } catch {
    process.stderr.write(`open of tap device /dev/${name} failed\n`);
    return null;
  }
}

/** The disk that the arguments name. */
function diskOf(devices: readonly Device[], base: string): string {
  const disk = devices.find(({ driver }) => driver === 'ahci-hd' || driver === 'virtio-blk');
  const file = /^(?:file:\/\/)?([^,?]+)/.exec(disk?.options ?? '')?.[1];
  if (file === undefined) giveUp('the lab’s VM cannot start without a disk');
  return overlayOn(base, file);
}

const sameSlot = (one: Device, other: Device): boolean => one.bus === other.bus && one.slot === other.slot;

async function qemuArguments(
  devices: readonly Device[],
  files: VmFiles,
): Promise<{ argv: string[]; port: number }> {
  const port = await freePort();
  const argv = machineArguments(files, diskOf(devices, files.disk));
  let first = true;
  const nics = guestNics(devices);
  // Only the order counts for the guest. The pc machine keeps slots 0 to 2 for itself, the disk is in 30.
  const slots = nics.filter((nic, index) => nics.findIndex((other) => sameSlot(other, nic)) === index);
  const addressOf = (nic: Device): number => 3 + slots.findIndex((other) => sameSlot(other, nic));
  if (slots.length > 27) giveUp(`${slots.length} slots with NICs are more than the lab's VM has`);
  for (const [index, nic] of nics.entries()) {
    const tap = nic.driver === 'virtio-tap' ? await openTap(nic.options.split(',')[0] ?? '') : null;
    const netdev =
      tap !== null
        ? `tap,id=net${index},ifname=${tap},script=no,downscript=no`
        : nic.driver === 'virtio-tap'
          ? `hubport,id=net${index},hubid=${index + 1}`
          : `user,id=net${index}${first ? `,hostfwd=tcp:127.0.0.1:${port}-:2375` : ''}`;
    if (nic.driver !== 'virtio-tap') first = false;
    const address = `0x${addressOf(nic).toString(16)}.${nic.func}`;
    const several = nic.func === 0 && devices.some((other) => sameSlot(other, nic) && other.func > 0);
    argv.push('-netdev', netdev);
    argv.push(
      '-device',
      `virtio-net-pci,netdev=net${index},mac=${macOf(nic)},addr=${address},romfile=${several ? ',multifunction=on' : ''}`,
    );
  }
  // A NIC on function 1 beside a disk on function 0 is seen only because function 0 is there.
  const alone = nics.filter(
    (nic) => nic.func > 0 && !nics.some((other) => sameSlot(other, nic) && other.func === 0),
  );
  for (const address of new Set(alone.map(addressOf)))
    argv.push('-device', `virtio-rng-pci,addr=0x${address.toString(16)}.0,multifunction=on`);
  return { argv, port };
}

async function main(): Promise<void> {
  const parsed = parseHyperkitArguments(args);
  if (!parsed.ok) giveUp(parsed.error);
  if (!parsed.vm) {
    process.stdout.write('hyperkit: v0.20200908\n');
    process.exit(0);
  }
  const { devices, pidFile } = parsed.vm;
  const files = vmFiles();
  if (pidFile !== null) {
    try {
      writeFileSync(pidFile, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
    } catch (error) {
      giveUp(`${path}: pid file ${pidFile}: ${String(error)}`);
    }
  }
  const { argv, port } = await qemuArguments(devices, files);
  runVm(argv, port, () => {
    if (pidFile !== null) rmSync(pidFile, { force: true });
  });
}

await main();
