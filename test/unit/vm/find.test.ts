import { expect, jest, test } from '@jest/globals';
import { pickVms } from '../../../daemon/vm/find.js';
import { listProcesses, type Process } from '../../../daemon/vm/processes.js';
import { recorded } from './hyperkit-argv.js';

const bin = '/Applications/Docker.app/Contents/Resources/bin';
const state = '/Users/lena/Library/Containers/com.docker.docker/Data';
const args =
  `-A -u -F vms/0/hyperkit.pid -c 3 -m 3072M -s 0:0,hostbridge -s 31,lpc -s 1:0,virtio-vpnkit,path=vpnkit.eth.sock ` +
  `-s 2:0,virtio-blk,${state}/vms/0/data/Docker.raw -l com1,null,asl`;
const old = `-A -m 2G -s 2:0,virtio-vpnkit,path=${state}/s50 -F ${state}/com.docker.driver.amd64-linux/hypervisor.pid`;
const mac = '02:74:75:6e:74:61';
const started = new Date('2021-06-01T07:30:05.000Z');
const now = Date.parse('2021-06-03T00:00:00Z');

const process = (pid: number, cmd: string, more: Partial<Process> = {}): Process => ({
  pid,
  uid: 504,
  cmd,
  startTime: started,
  ...more,
});

const pick = (...processes: Process[]) =>
  pickVms(processes, { uid: 504, holder: null, device: 'tap1', mac, now }).vm;

test.each([
  ['a bare argv[0]', `com.docker.hyperkit ${args}`, null],
  [
    'the original behind the shim',
    `${bin}/com.docker.hyperkit.original ${args}`,
    `${bin}/com.docker.hyperkit.original`,
  ],
  [
    'the name of 17.04 to 17.12',
    `/Applications/Docker.app/Contents/Resources/bin/hyperkit ${old}`,
    `${bin}/hyperkit`,
  ],
  [
    'a path with blanks',
    `/Volumes/My Apps/Docker.app/com.docker.hyperkit ${args}`,
    '/Volumes/My Apps/Docker.app/com.docker.hyperkit',
  ],
])('%s is Docker’s VM', (_name, cmd, executable) => {
  expect(pick(process(31, cmd))).toEqual({
    id: '31@2021-06-01T07:30:05.000Z',
    pid: 31,
    uid: 504,
    startedAt: '2021-06-01T07:30:05.000Z',
    startedWithTap: false,
    tapIsForeign: false,
    executable,
  });
});

test.each(['-AuF vms/0/hyperkit.pid', '-uFvms/0/hyperkit.pid'])(
  'options in one word, as getopt takes them, are read: %s',
  (word) => {
    expect(
      pick(process(31, `com.docker.hyperkit ${word} -us 1:0,virtio-vpnkit,path=vpnkit.eth.sock`)),
    ).toMatchObject({ pid: 31 });
  },
);

test.each([
  ['a shell that runs the shim', `/bin/sh ${bin}/com.docker.hyperkit ${args}`],
  ['bash that runs the shim', `/bin/bash -p ${bin}/com.docker.hyperkit ${args}`],
  ['a shell found by name', `sh com.docker.hyperkit ${args}`],
  ['somebody who reads it', `/usr/bin/grep -c vms/0/ ${bin}/com.docker.hyperkit -s 1:0,x`],
  ['its version', 'com.docker.hyperkit -v'],
  [
    'minikube',
    '/usr/local/bin/hyperkit -A -F /Users/lena/.minikube/machines/m/hyperkit.pid -s 1:0,virtio-net -s 2:0,virtio-blk,d',
  ],
  [
    'linuxkit, with a vpnkit too',
    '/usr/local/bin/hyperkit -A -F state/hyperkit.pid -s 1:0,virtio-vpnkit,path=state/eth',
  ],
  ['another name', `com.docker.hyperkits ${args}`],
  ['an empty command line', ''],
])('%s is none', (_name, cmd) => {
  expect(pick(process(31, cmd))).toBeNull();
});

test('another user’s VM, or one without a start, is none', () => {
  expect(pick(process(31, `com.docker.hyperkit ${args}`, { uid: 505 }))).toBeNull();
  expect(pick(process(31, `com.docker.hyperkit ${args}`, { startTime: undefined }))).toBeNull();
});

test('of one user’s the newest counts, whoever holds the tap: the engine is its', () => {
  const both = [
    process(40, `com.docker.hyperkit ${args}`),
    process(31, `com.docker.hyperkit ${args}`, { startTime: new Date('2021-06-02T00:00:00Z') }),
  ];
  const options = { uid: 504, device: 'tap1', mac, now };
  for (const holder of [40, 31, 999, null])
    expect(pickVms(both, { ...options, holder })).toMatchObject({ vm: { pid: 31 }, others: [{ pid: 40 }] });
});

test('one that started before the clock was set back is older than whatever starts then', () => {
  const line = `com.docker.hyperkit ${args}`;
  const left = process(40, line, { startTime: new Date(now + 3_600_000) });
  const fresh = process(41, line, { startTime: new Date(now - 60_000) });
  const options = { uid: 504, device: 'tap1', mac, now };
  for (const both of [
    [left, fresh],
    [fresh, left],
  ])
    expect(pickVms(both, { ...options, holder: 40 })).toMatchObject({
      vm: { pid: 41 },
      others: [{ pid: 40 }],
    });
});

test('another user’s VM counts while it holds the tap, whoever is in front', () => {
  const theirs = process(40, `com.docker.hyperkit ${args}`, { uid: 505 });
  const mine = process(41, `com.docker.hyperkit ${args}`);
  const look = (uid: number | null, holder: number | null) => {
    const { vm, others } = pickVms([theirs, mine], { uid, holder, device: 'tap1', mac, now });
    return [vm?.pid ?? null, ...others.map(({ pid }) => pid)];
  };
  expect(look(504, 40)).toEqual([40, 41]);
  expect(look(504, null)).toEqual([41, 40]);
  expect(look(null, 40)).toEqual([40, 41]);
  expect(look(null, null)).toEqual([null, 40, 41]);
});

test('a ps that fails or hangs is unknown, and not for ever', async () => {
  expect(await listProcesses(() => Promise.reject(new Error('EAGAIN')))).toEqual({
    known: false,
    why: 'the processes cannot be listed: EAGAIN',
  });
  jest.useFakeTimers();
  let started = 0;
  const hangs = (): Promise<never> => {
    started += 1;
    return new Promise(() => undefined);
  };
  for (let look = 0; look < 3; look += 1) {
    const asked = listProcesses(hangs);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await asked).toMatchObject({ known: false });
  }
  // Nobody ends it, so no second one is started beside it; a minute later it counts no more.
  expect(started).toBe(1);
  await jest.advanceTimersByTimeAsync(60_000);
  const later = listProcesses(hangs);
  await jest.advanceTimersByTimeAsync(10_000);
  expect(await later).toMatchObject({ known: false });
  jest.useRealTimers();
  expect(started).toBe(2);
});

test.each([
  ['-s 2:1,virtio-tap,tap1', true],
  ['-s 2:1,virtio-tap,tap1,mac=02:74:75:6e:74:61', true],
  ['-s 0:2:1,virtio-tap,tap1', true],
  ['-s 2:1,virtio-tap,tap10', false],
  ['-s 2:1,virtio-tap,tap0', false],
  ['-s 5,virtio-blk,/x-s 2:1,virtio-tap,tap1', false],
  ['-us 2:1,virtio-tap,tap1', true],
])('%s: with our tap %s', (option, expected) => {
  for (const line of [`${option} ${args}`, `${args} ${option}`])
    expect(pick(process(3, `com.docker.hyperkit ${line}`))?.startedWithTap).toBe(expected);
});

test.each([
  ['-u', false],
  ['-s 2:1,virtio-tap,tap1,mac=02:74:75:6e:74:61', false],
  ['-s 2:1,virtio-tap,tap1,mac=02:74:75:6E:74:61', false],
  ['-s 2:1,virtio-tap,tap1', true],
  ['-s 2:1,virtio-tap,tap1,mac=00:a0:98:d2:bf:f6', true],
  ['-s 2:1,virtio-tap,tap2,mac=00:a0:98:d2:bf:f6', false],
])('%s: our tap, but not our NIC: %s', (option, expected) => {
  expect(pick(process(3, `com.docker.hyperkit ${option} ${args}`))?.tapIsForeign).toBe(expected);
});

test.each(recorded.map(({ what, dockers, argv }) => [what, dockers, argv] as const))(
  'as ps tells it, with our tap or without: %s: %s',
  (_what, dockers, [program = '', ...words]) => {
    const expected = dockers && /(?:^|\/)(?:com\.docker\.)?hyperkit(?:\.original)?$/.test(program);
    const tap = ['-s', `2:1,virtio-tap,tap1,mac=${mac}`];
    for (const line of [words, [...tap, ...words]])
      expect(pick(process(31, [program, ...line].join(' '))) !== null).toBe(expected);
  },
);
