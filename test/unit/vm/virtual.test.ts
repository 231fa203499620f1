import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Process } from '../../../daemon/vm/processes.js';
import { pickVms } from '../../../daemon/vm/find.js';

const program = '/Applications/Docker.app/Contents/MacOS/com.docker.virtualization';
const rest =
  '--kernel /Applications/Docker.app/Contents/Resources/linuxkit/kernel --cmdline init=/init loglevel=1 root=/dev/vdb eth0.dhcp eth1.dhcp --networkType gvisor --watchdog';
const started = new Date('2026-10-05T01:57:00.000Z');
const process = (cmd: string, more: Partial<Process> = {}): Process => ({
  pid: 31,
  uid: 501,
  cmd,
  startTime: started,
  ...more,
});
const options = {
  uid: 501,
  holder: null,
  device: 'tap1',
  mac: '02:74:75:6e:74:61',
  now: Date.parse('2026-10-06T00:00:00Z'),
};
const pick = (...processes: Process[]) => pickVms(processes, options).vm;

test('a VM of the Virtualization framework is known by its program and its kernel', () => {
  expect(pick(process(`${program} ${rest}`))).toEqual({
    id: '31@2026-10-05T01:57:00.000Z',
    pid: 31,
    uid: 501,
    startedAt: '2026-10-05T01:57:00.000Z',
    startedWithTap: false,
    tapIsForeign: false,
    executable: program,
    kind: 'virtualization',
    asksForNic: false,
  });
  expect(pick(process(`${program} ${rest} --kernel-for-udp --rosetta`))).toMatchObject({ asksForNic: true });
  expect(
    pick(process(`/Volumes/My Apps/Docker.app/Contents/MacOS/com.docker.virtualization ${rest}`)),
  ).toMatchObject({
    kind: 'virtualization',
  });
});

test.each(['com.docker.sailor', 'com.docker.krun'])('%s is Docker’s own monitor', (name) => {
  expect(pick(process(`/Applications/Docker.app/Contents/MacOS/${name}`))).toMatchObject({
    kind: 'docker-vmm',
  });
});

test.each([
  ['somebody who looks for it', `grep ${program} --kernel x`],
  ['a shell with it', `/bin/sh ${program} ${rest}`],
  ['its version', `${program} --version`],
  ['a kernel for UDP is no kernel', `${program} --kernel-for-udp`],
  ['another program of Docker’s', `/Applications/Docker.app/Contents/MacOS/com.docker.backend services`],
  ['a name like it', `/Applications/Docker.app/Contents/MacOS/com.docker.sailors`],
  ['no path', `com.docker.virtualization ${rest}`],
  ['outside of an app', `/tmp/com.docker.virtualization ${rest}`],
])('%s is no VM', (_what, cmd) => {
  expect(pick(process(cmd))).toBeNull();
});

/** As `ps` printed them on Macs with Docker Desktop 3.3 to about 4.49. */
const recorded = readFileSync(join(import.meta.dirname, '../../fixtures/virtualization-argv.txt'), 'utf8')
  .trim()
  .split('\n');

test.each(recorded)('recorded: %s', (cmd) => {
  expect(pick(process(cmd))).toMatchObject({
    kind: 'virtualization',
    asksForNic: cmd.includes(' --kernel-for-udp '),
  });
});

test('of two VMs of a user the newer one counts, whatever it runs by; another user’s never', () => {
  const hyperkit = process('com.docker.hyperkit -F vms/0/hyperkit.pid -s 1:0,virtio-vpnkit,path=x', {
    pid: 30,
  });
  const later = new Date(started.getTime() + 60_000);
  expect(pick(hyperkit, process(`${program} ${rest}`, { startTime: later }))).toMatchObject({ pid: 31 });
  expect(pick({ ...hyperkit, startTime: later }, process(`${program} ${rest}`))).toMatchObject({ pid: 30 });
  expect(pick(process(`${program} ${rest}`, { uid: 502 }))).toBeNull();
});

test('where only a tap is wanted they are none', () => {
  expect(pickVms([process(`${program} ${rest}`)], { ...options, hyperkitOnly: true }).vm).toBeNull();
});
