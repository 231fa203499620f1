/** VMs of runtimes besides Docker Desktop, by the command lines that are known of them. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { candidatesOf, maxCommand } from '../../../daemon/vm/candidates.js';
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
    '/opt/homebrew/bin/limactl hostagent --pidfile /Users/a/.config/colima/_lima/colima-big/ha.pid --socket /x colima-big',
    'colima',
    '/Users/a/.config/colima/_lima/colima-big',
  ],
  [
    'colima of Nix, which puts a wrapper before limactl',
    colima.replace('/opt/homebrew/bin/limactl', '/nix/store/5m1x-lima-1.1.1/bin/.limactl-wrapped'),
    'colima',
    '/Users/andrii/.colima/_lima/colima',
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

test.each(['limactl         ', '.limactl-wrapped'])(
  'they are found by columns too, where the child that lists fails: %s',
  async (ucomm) => {
    const list = await listByColumns((_file, words) =>
      Promise.resolve({
        stdout: words.includes('pid=,args=')
          ? `  700 ${colima.replace('/limactl', `/${ucomm.trim()}`)}\n`
          : `  700   501 Fri Oct 23 12:24:00 2026 ${ucomm}\n  701   501 Fri Oct 23 12:24:00 2026 login\n`,
        stderr: '',
        exitCode: 0,
      }),
    );
    expect(pickMachines(list, { uid })).toMatchObject([{ name: 'colima', vm: { pid: 700 } }]);
  },
);

/** Processes of a user whose lines are as long as any is looked at. */
const costly = (count: number, head: string, tail: string) => {
  const times = (part: string): string => part.repeat(Math.floor(maxCommand / 2 / part.length) - 1);
  const cmd = `/${times(head)}${times(tail)}`;
  return Array.from({ length: count }, (_, pid) => ({ pid, uid, cmd, startTime }));
};

test.each([
  ['hostagent after hostagent, pid file after pid file', 'a/limactl hostagent ', '--pidfile /'],
  ['pid files that end nowhere', 'a/limactl hostagent ', '--pidfile /ha.pidx'],
  ['OrbStack in OrbStack', '/OrbStack.app/Contents/', '/OrbStack.app/Contents/OrbStack Helper vmgr0'],
  ['Podman in Podman', 'a/gvproxy', '/gvproxy -/podma'],
])('a line that a user makes to cost time takes none: %s', (_what, head, tail) => {
  const processes = costly(32, head, tail);
  const began = performance.now();
  expect(pickMachines(processes, { uid })).toEqual([]);
  expect(performance.now() - began).toBeLessThan(1500);
});

test('nor does one among all processes', () => {
  const processes = costly(200, 'a/limactl', 'a/limactl.a');
  const began = performance.now();
  expect(candidatesOf(processes)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(1500);
});

test('a line says the same as the form that is written down for it', () => {
  const form =
    /^(\/(?:(?! [-/]).)*?\/(?:limactl(?:\.[a-z]+)?|\.limactl-wrapped)) (?:--debug )?hostagent .*?--pidfile (\/.+?)\/ha\.pid(?: |$)/s;
  const word = fc.constantFrom(
    ...[
      '/opt/homebrew/bin',
      '/Applications/Rancher Desktop.app',
      '/limactl',
      '/limactl.ventura',
      '/limactl.7',
      '/.limactl-wrapped',
    ],
    ...[' hostagent', ' --debug', ' -v', ' --pidfile', ' /Users/a b/.lima/docker', '/ha.pid', '/ha.pid.old'],
    ...[' --socket /x/ha.sock', ' ', ' docker', '/', 'a'],
  );
  const plausible = fc
    .tuple(
      fc.constantFrom(
        '',
        '/opt/homebrew/bin',
        '/Applications/Rancher Desktop.app/bin',
        './bin',
        '/bin/sh /a',
      ),
      fc.constantFrom(
        ...['/limactl', '/limactl.ventura', '/.limactl-wrapped'],
        ...['/limactl.7', '/limactl2', '/xlimactl', '/limactl-wrapped'],
      ),
      fc.constantFrom(' hostagent', ' --debug hostagent', ' -v hostagent', ' hostagents', ''),
      fc.constantFrom(' --pidfile', ' --port 1 --pidfile', ' --pidfile=x --pidfile', ' --pid', ''),
      fc.constantFrom(' /Users/a/.lima/docker', ' /Users/a b/.lima/x', ' x', ' /', ' /ha.pid'),
      fc.constantFrom('/ha.pid', '/ha.pid.old/ha.pid', '/ha.pid.old', '/ha.sock', ''),
      fc.constantFrom('', ' ', ' --socket /x/ha.sock docker', ' --pidfile /y/ha.pid'),
    )
    .map((parts) => parts.join(''));
  const line = fc.oneof(
    plausible,
    fc.array(word, { maxLength: 8 }).map((words) => `/x/limactl hostagent${words.join('')}`),
  );
  fc.assert(
    fc.property(line, (cmd) => {
      const folder = form.exec(cmd)?.[2];
      const found = pickMachines([{ pid: 1, uid, cmd, startTime }], { uid });
      expect(found.map((one) => [one.folder, one.vm.executable])).toEqual(
        folder === undefined ? [] : [[folder, form.exec(cmd)?.[1]]],
      );
    }),
    { numRuns: 2000 },
  );
});
