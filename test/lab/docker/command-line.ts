/**
 * The arguments with which Docker starts hyperkit, in the shape of each generation: which slots its devices are in,
 * which files it names relative to its data folder, and where options stand.
 */

export interface DockerStart {
  readonly argv: readonly string[];
  /** As the arguments name it: relative to the data folder, or absolute. */
  readonly pidFile: string;
}

const uuid = '5a0e64b6-0d6e-4d57-a6ce-0c8aa5d60c11';
const vmUuid = '9e6b4c3f-2c7f-4c30-b5de-74d9a1a5d6a8';
const devices = (...places: readonly string[]): string[] => places.flatMap((place) => ['-s', place]);

/** Up to 17.x: the NIC in slot 2, absolute paths, the pid file at the end. */
function early(app: string, data: string): DockerStart {
  const driver = `${data}/com.docker.driver.amd64-linux`;
  const moby = `${app}/Contents/Resources/moby`;
  const pidFile = `${driver}/hypervisor.pid`;
  return {
    pidFile,
    argv: [
      ...['-A', '-m', '2048M', '-c', '2', '-u'],
      ...devices(
        '0:0,hostbridge',
        '31,lpc',
        `2:0,virtio-vpnkit,uuid=${uuid},path=${data}/s50,macfile=${driver}/mac.0`,
        `3,ahci-hd,file://${driver}/Docker.qcow2?sync=os&buffered=1,format=qcow,qcow-config=discard=true;compact_after_unmaps=262144`,
        `4,virtio-9p,path=${data}/s40,tag=db`,
        '5,virtio-rnd',
        `6,virtio-9p,path=${data}/s51,tag=port`,
        `7,virtio-sock,guest_cid=3,path=${data},guest_forwards=2376;1525`,
      ),
      ...['-l', `com1,autopty=${driver}/tty,log=${driver}/console-ring`],
      '-f',
      `kexec,${moby}/vmlinuz64,${moby}/initrd.img,earlyprintk=serial console=ttyS0 com.docker.driver="com.docker.driver.amd64-linux", com.docker.database="com.docker.driver.amd64-linux" ntp=gateway mobyplatform=mac`,
      ...['-F', pidFile],
    ],
  };
}

/** 18.x to 2.x: the NIC in slot 1, CD images, an EFI boot ROM. */
function efi(app: string, data: string): DockerStart {
  const pidFile = 'vms/0/hyperkit.pid';
  const resources = `${app}/Contents/Resources`;
  return {
    pidFile,
    argv: [
      ...['-A', '-u', '-F', pidFile, '-c', '2', '-m', '2048M'],
      ...devices('0:0,hostbridge', '31,lpc', `1:0,virtio-vpnkit,path=vpnkit.eth.sock,uuid=${uuid}`),
      ...['-U', vmUuid],
      ...devices(
        `2:0,ahci-hd,${data}/vms/0/Docker.raw`,
        '3,virtio-sock,guest_cid=3,path=vms/0,guest_forwards=2376;1525',
        `4,ahci-cd,${resources}/linuxkit/docker-for-mac.iso`,
        '5,ahci-cd,vms/0/config.iso',
        '6,virtio-rnd',
        '7,virtio-9p,path=vpnkit.port.sock,tag=port',
      ),
      ...['-l', 'com1,autopty=vms/0/tty,asl'],
      ...['-f', `bootrom,${resources}/uefi/UEFI.fd,,`],
    ],
  };
}

/** 3.x and 4.x. */
function kexec(app: string, data: string): DockerStart {
  const pidFile = 'vms/0/hyperkit.pid';
  const linuxkit = `${app}/Contents/Resources/linuxkit`;
  return {
    pidFile,
    argv: [
      ...['-A', '-u', '-F', pidFile, '-c', '2', '-m', '2048M'],
      ...devices('0:0,hostbridge', '31,lpc', `1:0,virtio-vpnkit,path=vpnkit.eth.sock,uuid=${uuid}`),
      ...['-U', vmUuid],
      ...devices(
        `2:0,virtio-blk,${data}/vms/0/data/Docker.raw`,
        '3,virtio-sock,guest_cid=3,path=vms/0,guest_forwards=1525',
        '4,virtio-rnd',
      ),
      ...['-l', 'com1,null,asl,log=vms/0/console-ring'],
      '-f',
      `kexec,${linuxkit}/kernel,${linuxkit}/initrd.img,earlyprintk=serial page_poison=1 vsyscall=emulate panic=1 console=ttyS0 console=ttyS1  vpnkit.connect=connect://2/1999 vpnkit.disable=osxfs-data `,
    ],
  };
}

/** How the Docker of that version (17.09.1, 2.0.0.3, 4.1.1, …) starts its VM. */
export function dockerStart(version: string, app: string, data: string): DockerStart {
  const major = Number.parseInt(version, 10);
  if (major >= 3 && major < 10) return kexec(app, data);
  return major === 2 || major >= 18 ? efi(app, data) : early(app, data);
}
