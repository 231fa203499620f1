import { expect, test } from '@jest/globals';
import { type Observation, seen, unknown, type Vm } from '../../../daemon/core/observation.js';
import { config, network, quietMac, startedMac, up, withTap } from './worlds.js';
import { judgeConditions, plan } from './judged.js';

const other = { name: 'other', uid: 502, gid: 20, home: '/Users/other' };
const started = startedMac([network('bridge', '172.17.0.0/16')]);
const theirs: Vm = {
  id: '950@then',
  pid: 950,
  uid: 502,
  startedAt: 'then',
  startedWithTap: true,
  tapIsForeign: false,
  executable: null,
};
const device = (uid: number): Observation['tap']['device'] =>
  seen({ path: '/dev/tap1', uid, gid: 0, mode: 0o660 });

const steps = (observation: Observation): string[] =>
  plan(config, observation, up).map((step) =>
    step.kind === 'own-tap-device' ? `own ${step.uid}` : step.kind,
  );
const judged = (observation: Observation) => {
  const { phase, findings } = judgeConditions(config, observation, up, []);
  return { phase, of: (type: string) => findings.find((finding) => finding.type === type) };
};

test('somebody else comes to the front while the first user’s VM holds the tap: it goes on', () => {
  const switched = { ...started, consoleUser: seen(other) };
  expect(steps(switched)).toEqual(steps(started));
  const { of } = judged(switched);
  expect(of('TapDevice')).toMatchObject({ status: 'True', reason: 'Owned' });
  expect(of('TapAttached')?.status).toBe('True');
  expect(of('VirtualMachine')?.message).toContain('uid 501, who is logged in but not in front');
});

test('the same at the login window, and it is not idle', () => {
  const window = { ...started, consoleUser: seen(null) };
  expect(steps(window)).toEqual(steps(started));
  expect(judged(window).phase).not.toBe('idle');
});

test('the VM of whoever is in front waits for the tap of somebody behind, and is told how to get it', () => {
  const both = { ...started, consoleUser: seen(other), otherVms: [theirs] };
  expect(steps(both)).not.toContain('own 502');
  const { phase, of } = judged(both);
  expect(phase).toBe('degraded');
  expect(of('TapAttached')).toMatchObject({ status: 'False', reason: 'HeldByOtherUser' });
  expect(of('TapAttached')?.message).toContain('quit Docker there');
});

test('a VM of somebody behind with another MAC on the tap is nobody’s to restart but his', () => {
  const mine = { ...theirs, id: '951@then', pid: 951, startedWithTap: false };
  const app = '/Applications/Docker.app';
  const observation: Observation = {
    ...started,
    vm: seen({ ...theirs, id: '900@then', pid: 900, uid: 501, tapIsForeign: true }),
    consoleUser: seen(other),
    otherVms: [mine],
    docker: seen([{ pid: 70, app, startedAt: 'then', gui: true, virtualization: false }]),
    userContainer: seen(null),
  };
  expect(steps(observation)).toEqual([]);
  expect(judged(observation).of('TapAttached')?.reason).toBe('HeldByOtherUser');
  // In front it is his own.
  const inFront = { ...observation, consoleUser: quietMac.consoleUser, otherVms: [] };
  expect(steps(inFront)).toEqual(['quit-docker']);
});

test('when that VM has ended, the device goes to whoever is in front', () => {
  expect(steps({ ...quietMac, consoleUser: seen(other) })).toEqual(['own 502']);
});

test('another user’s VM without our link is named and nothing is done about it', () => {
  const observation = { ...quietMac, otherVms: [theirs] };
  expect(steps(observation)).toEqual([]);
  const { phase, of } = judged(observation);
  expect(phase).toBe('idle');
  expect(of('VirtualMachine')?.message).toContain('pid 950 of uid 502');
});

test('after a logout the device is root’s, and the Mac idle', () => {
  const out = { ...quietMac, consoleUser: seen(null) };
  expect(steps(out)).toEqual(['own 0']);
  const after = withTap(out, { device: device(0) });
  expect(steps(after)).toEqual([]);
  expect(judged(after).phase).toBe('idle');
});

test.each<[string, Partial<Observation>]>([
  ['scutil fails', { consoleUser: unknown('no answer') }],
  ['ifconfig fails', withTap({ ...started, consoleUser: seen(other) }, { interface: unknown('no answer') })],
  ['ps fails while somebody holds the tap', { vm: unknown('no answer'), consoleUser: seen(other) }],
])('unknown is not absent: %s, and the device stays whose it is', (_title, change) => {
  expect(steps({ ...started, ...change }).filter((step) => step.startsWith('own'))).toEqual([]);
});

test('a user who cannot be told is not nobody', () => {
  const { phase } = judged({
    ...quietMac,
    consoleUser: unknown('scutil hangs'),
    vm: unknown('scutil hangs'),
  });
  expect(phase).toBe('working');
});
