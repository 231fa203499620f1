/** VMs of runtimes besides Docker Desktop, by the command lines that are known of them. */
import { expect, test } from '@jest/globals';
import { candidatesOf } from '../../../daemon/vm/candidates.js';
import { pickMachines } from '../../../daemon/vm/machines.js';
import { listByColumns } from '../../../daemon/vm/processes.js';

const startTime = new Date('2026-10-23T12:24:00.000Z');
const uid = 501;
const among = (...lines: string[]) =>
  pickMachines(candidatesOf(lines.map((cmd, index) => ({ pid: 100 + index, uid, cmd, startTime }))), { uid });

const colima =
  '/opt/homebrew/bin/limactl hostagent --pidfile /Users/andrii/.colima/_lima/colima/ha.pid --socket ' +
  '/Users/andrii/.colima/_lima/colima/ha.sock --guestagent /opt/homebrew/share/lima/lima-guestagent.Linux-aarch64.gz colima';

test.each([
  ['colima', colima, 'colima', '/Users/andrii/.colima/_lima/colima'],
  [
    'colima of 2022, in Lima’s home, told more',
    '/usr/local/bin/limactl --debug hostagent --pidfile /Users/a/.lima/colima/ha.pid --socket /Users/a/.lima/colima/ha.sock colima',
    'colima',
    '/Users/a/.lima/colima',
  ],
  [
    'a profile of colima',
    '/opt/homebrew/bin/limactl hostagent --pidfile /Users/a/.config/colima/_lima/colima-work/ha.pid --socket /x colima-work',
    'colima',
    '/Users/a/.config/colima/_lima/colima-work',
  ],
  [
    'Lima with a window',
    '/opt/homebrew/bin/limactl hostagent --pidfile /Users/a/.lima/docker/ha.pid --socket /Users/a/.lima/docker/ha.sock --run-gui --guestagent /opt/x docker',
    'Lima',
    '/Users/a/.lima/docker',
  ],
  [
    'Rancher Desktop, whose paths hold blanks',
    '/Applications/Rancher Desktop.app/Contents/Resources/resources/darwin/lima/bin/limactl.ventura hostagent --pidfile /Users/a/Library/Application Support/rancher-desktop/lima/0/ha.pid --socket /Users/a/Library/Application Support/rancher-desktop/lima/0/ha.sock 0',
    'Rancher Desktop',
    '/Users/a/Library/Application Support/rancher-desktop/lima/0',
  ],
  [
    'OrbStack',
    '/Applications/OrbStack.app/Contents/MacOS/../Frameworks/OrbStack Helper.app/Contents/MacOS/OrbStack Helper vmgr -build-id 339077377 -handoff',
    'OrbStack',
    null,
  ],
  [
    'Podman',
    '/opt/homebrew/Cellar/podman/4.8.2/libexec/podman/gvproxy -mtu 1500 -ssh-port 55372 -listen-qemu unix:///var/folders/jf/T/podman/qmp_podman-machine-default.sock -forward-sock /Users/war/.local/share/containers/podman/machine/qemu/podman.sock',
    'Podman',
    null,
  ],
])('%s', (_what, cmd, name, folder) => {
  expect(among(cmd)).toMatchObject([
    {
      name,
      folder,
      vm: {
        id: '100@2026-10-23T12:24:00.000Z',
        pid: 100,
        uid,
        kind: 'virtualization',
        startedWithTap: false,
      },
    },
  ]);
});

test.each([
  ['another command of limactl’s', '/opt/homebrew/bin/limactl list --json'],
  ['its shell', '/opt/homebrew/bin/limactl shell colima'],
  ['a program that looks for it', 'grep limactl hostagent --pidfile /Users/a/.lima/docker/ha.pid'],
  [
    'a script of this name',
    '/bin/sh /Users/a/bin/limactl hostagent --pidfile /Users/a/.lima/docker/ha.pid x',
  ],
  ['a relative one', './limactl hostagent --pidfile /Users/a/.lima/docker/ha.pid docker'],
  ['one without a folder', '/opt/homebrew/bin/limactl hostagent docker'],
  ['OrbStack’s window', '/Applications/OrbStack.app/Contents/MacOS/OrbStack'],
  [
    'a gvproxy of somebody else’s',
    '/opt/vfkit/gvproxy -mtu 1500 -ssh-port 2223 -listen-vfkit unixgram:///tmp/net.sock',
  ],
])('%s is none', (_what, cmd) => {
  expect(among(cmd)).toEqual([]);
});

test('another user’s are left out, and the oldest comes first', () => {
  const later = new Date(startTime.getTime() + 1000);
  const found = pickMachines(
    [
      { pid: 1, uid: 502, cmd: colima, startTime },
      { pid: 2, uid, cmd: colima, startTime: later },
      { pid: 3, uid, cmd: colima.replaceAll('_lima/colima', '_lima/colima-x'), startTime },
    ],
    { uid },
  );
  expect(found.map(({ vm: { pid } }) => pid)).toEqual([3, 2]);
});

test('they are found by columns too, where the child that lists fails', async () => {
  const list = await listByColumns((_file, words) =>
    Promise.resolve({
      stdout: words.includes('pid=,args=')
        ? `  700 ${colima}\n`
        : '  700   501 Fri Oct 23 12:24:00 2026 limactl         \n  701   501 Fri Oct 23 12:24:00 2026 login\n',
      stderr: '',
      exitCode: 0,
    }),
  );
  expect(pickMachines(list, { uid })).toMatchObject([{ name: 'colima', vm: { pid: 700 } }]);
});
