import { expect, test } from '@jest/globals';
import { pickDocker } from '../../../daemon/vm/processes.js';

const user = { name: 'lena', uid: 504, gid: 20, home: '/Users/lena' };
const app = '/Applications/Docker.app';
const startTime = new Date('2021-06-01T07:30:05.000Z');
const pick = (cmd: string, uid = 504) => pickDocker([{ pid: 31, uid, cmd, startTime }], user);

test.each([
  ['the app', `${app}/Contents/MacOS/Docker`, { app, gui: true }],
  ['the app with options', `${app}/Contents/MacOS/Docker --unattended`, { app, gui: true }],
  ['its supervisor', `${app}/Contents/MacOS/com.docker.supervisor -watchdog fd:0`, { app, gui: false }],
  ['its backend', `${app}/Contents/MacOS/com.docker.backend run`, { app, gui: false }],
  ['the app of 4.48', `${app}/Contents/MacOS/com.docker.backend`, { app, gui: true }],
  [
    'the same, opened from a terminal',
    `${app}/Contents/MacOS/com.docker.backend --start-docker-desktop`,
    { app, gui: true },
  ],
  ['its child', `${app}/Contents/MacOS/com.docker.backend fork`, { app, gui: false }],
  ['its other child', `${app}/Contents/MacOS/com.docker.backend services`, { app, gui: false }],
  [
    'its VM by Apple’s framework',
    `${app}/Contents/MacOS/com.docker.virtualization --kernel ${app}/Contents/Resources/linuxkit/kernel --networkType gvisor`,
    { app, gui: false, virtualization: true },
  ],
  [
    'the app in a place with blanks',
    '/Volumes/My Apps/Docker.app/Contents/MacOS/Docker',
    { app: '/Volumes/My Apps/Docker.app', gui: true },
  ],
])('%s is Docker’s', (_what, cmd, expected) => {
  expect(pick(cmd)).toEqual([
    { pid: 31, startedAt: startTime.toISOString(), virtualization: false, ...expected },
  ]);
});

test.each([
  ['its window', `${app}/Contents/MacOS/Docker Desktop.app/Contents/MacOS/Docker Desktop --name=dashboard`],
  ['its VM', `${app}/Contents/MacOS/com.docker.hyperkit -A -F vms/0/hyperkit.pid`],
  ['another app', '/Applications/Dock.app/Contents/MacOS/Dock'],
  ['somebody who reads it', `/usr/bin/less ${app}/Contents/MacOS/Docker`],
  ['a relative path', 'Docker.app/Contents/MacOS/Docker'],
])('%s is not the app', (_what, cmd) => {
  expect(pick(cmd)).toEqual([]);
});

test('a bare backend beside the app is not the app', () => {
  const both = ['Docker', 'com.docker.backend'].map((name, index) => ({
    pid: 31 + index,
    uid: 504,
    cmd: `${app}/Contents/MacOS/${name}`,
    startTime,
  }));
  expect(pickDocker(both, user).map(({ gui }) => gui)).toEqual([true, false]);
});

test('another user’s Docker is not ours to quit', () => {
  expect(pick(`${app}/Contents/MacOS/Docker`, 505)).toEqual([]);
});
