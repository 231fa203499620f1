/**
 * The arguments with which Docker starts com.docker.virtualization, in the shape of each generation, as `ps` and
 * Docker's own log showed them: 2023 (a RAM disk), 2024 (boot.img, MACs kept in files), autumn of 2025 (boot.img, none
 * kept), 4.55 (desktop.img). `--kernel-for-udp` stands before the shared folders in all of them.
 */
interface Generation {
  readonly kernelLine: string;
  readonly boot: readonly string[];
  /** What the MACs of its NICs are kept in from one start to the next; null is nothing. */
  readonly macFiles: string | null;
  readonly consoleLog: string;
  readonly sockets: boolean;
}

const unified = 'linuxkit.unified_cgroup_hierarchy=1 console=hvc0';
const modern = `loglevel=1 root=/dev/vdb rootfstype=erofs ro vsyscall=emulate panic=0 eth0.dhcp eth1.dhcp ${unified}   virtio_net.disable_csum=1 vpnkit.connect=connect://2/1999`;
const shared = ['/Users', '/Volumes', '/private', '/tmp', '/var/folders'];

function generationOf(version: string, linuxkit: string, data: string): Generation {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isBefore = (limit: number): boolean => major < 4 || (major === 4 && minor < limit);
  if (isBefore(30))
    return {
      kernelLine: `vsyscall=emulate panic=1 nospec_store_bypass_disable noibrs noibpb no_stf_barrier mitigations=off ${unified}  irqaffinity=0 virtio_net.disable_csum=1 eth0.IPNet=192.168.65.3/24 eth0.router=192.168.65.1 eth1.dhcp vpnkit.connect=connect://2/1999 vpnkit.disable=osxfs-data`,
      boot: ['--ramdisk', `${linuxkit}/initrd.img`],
      macFiles: 'vms/0/macaddr',
      consoleLog: 'log/vm/console.log',
      sockets: true,
    };
  const isOfBootImage = isBefore(55);
  return {
    kernelLine: `init=/init${isOfBootImage ? '' : 'd'} ${modern}`,
    boot: ['--boot', `${linuxkit}/${isOfBootImage ? 'boot' : 'desktop'}.img`],
    macFiles: isBefore(48) ? `${data}/vms/0/macaddr` : null,
    consoleLog: `${data}/log/vm/console.log`,
    sockets: isBefore(48),
  };
}

/** How the Docker of that version starts its VM by the Virtualization framework; `data` is its folder of data. */
export function virtualizationStart(
  version: string,
  app: string,
  data: string,
  { kernelForUdp }: { kernelForUdp: boolean },
): string[] {
  const linuxkit = `${app}/Contents/Resources/linuxkit`;
  const { kernelLine, boot, macFiles, consoleLog, sockets } = generationOf(version, linuxkit, data);
  return [
    ...['--kernel', `${linuxkit}/kernel`, '--cmdline', kernelLine, ...boot],
    ...['--disk', `${data}/vms/0/data/Docker.raw`, '--networkType', 'gvisor'],
    ...(macFiles === null ? [] : ['--macaddr-filename-prefix', macFiles]),
    ...['--cpus', '10', '--memoryMiB', '8092', '--console-log', consoleLog],
    ...(sockets ? ['--console', `${data}/vms/0/console.sock`, '--api', `${data}/virtualization.sock`] : []),
    '--watchdog',
    ...(kernelForUdp ? ['--kernel-for-udp'] : []),
    ...shared.flatMap((folder) => ['--virtiofs', folder]),
    '--rosetta',
  ];
}
