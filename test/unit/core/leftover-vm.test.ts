/** Two hyperkits of one user: Docker left the old one behind, and the engine is the newer one's. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Observation, seen } from '../../../daemon/core/observation.js';
import { tapOwner } from '../../../daemon/core/link/tap-device.js';
import { pickVms } from '../../../daemon/vm/find.js';
import type { Process } from '../../../daemon/vm/processes.js';
import { config, connected, network, quietMac, startedMac, up } from './worlds.js';
import { judgeConditions, plan } from './judged.js';

const started = startedMac([network('bridge', '172.17.0.0/16')]);
const line =
  '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit.original -s 2:1,virtio-tap,tap1,mac=02:74:75:6e:74:61 ' +
  '-A -u -F vms/0/hyperkit.pid -s 0:0,hostbridge -s 31,lpc -s 1:0,virtio-vpnkit,path=vpnkit.eth.sock -l com1,null';

interface Run {
  readonly pid: number;
  readonly uid: number;
  readonly minute: number;
}

const startOf = ({ minute }: Run): Date => new Date(Date.UTC(2021, 0, 7, 9, minute));
const now = Date.UTC(2021, 0, 8);
const processes = (runs: readonly Run[]): Process[] =>
  runs.map((run) => ({ pid: run.pid, uid: run.uid, cmd: line, startTime: startOf(run) }));

/** The Mac with these VMs, their tap held by this pid and the user 501 in front; the engine answers. */
function macWith(runs: readonly Run[], holder: number | null): Observation {
  const { vm, others } = pickVms(processes(runs), { uid: 501, holder, now, ...config.tap });
  const tap = seen({ name: 'tap1', up: false, mtu: 1500, addresses: [], holder });
  return {
    ...started,
    vm: seen(vm),
    otherVms: others,
    tap: { ...started.tap, interface: holder === null ? seen(null) : tap },
    engine: vm ? started.engine : quietMac.engine,
  };
}

/** The plan with the tap as it is, and with our address and its row: the routes come only then. */
const steps = (observation: Observation): string[] => {
  const tap = observation.tap.interface.known ? observation.tap.interface.value : null;
  const rows = observation.routes.known ? observation.routes.value : [];
  const { address, prefix, mtu } = config.tap;
  const addressed = tap && {
    ...observation,
    tap: {
      ...observation.tap,
      interface: seen({ ...tap, up: true, mtu, addresses: [{ address, prefix }] }),
    },
    routes: seen([...rows, connected({ address, prefix })]),
  };
  return [observation, ...(addressed ? [addressed] : [])].flatMap((one) =>
    plan(config, one, up).map(({ kind }) => kind),
  );
};
const settingUp = ['address-tap', 'prepare-guest', 'add-route'];
const of = (observation: Observation, type: string) =>
  judgeConditions(config, observation, up, []).findings.find((finding) => finding.type === type);

const old = { pid: 700, uid: 501, minute: 0 };
const current = { pid: 900, uid: 501, minute: 10 };

test('an old one that holds the tap: nothing is set up, and it is told which one to end', () => {
  const observation = macWith([old, current], 700);
  expect(observation.vm).toMatchObject({ value: { pid: 900 } });
  expect(steps(observation)).toEqual([]);
  const attached = of(observation, 'TapAttached');
  expect(attached).toMatchObject({ status: 'False', reason: 'HeldByLeftover' });
  expect(attached?.message).toContain('kill 700`');
  expect(attached?.message).toContain('pid 700 (since 2021-01-07T09:00:00.000Z)');
  expect(of(observation, 'VirtualMachine')?.message).toContain('2 VMs of Docker’s of one user run');
  expect(judgeConditions(config, observation, up, []).phase).toBe('degraded');
});

test('an old one without the tap: the newer one is set up, and it is told of the other', () => {
  const observation = macWith([old, current], 900);
  expect(steps(observation)).toEqual(expect.arrayContaining(settingUp));
  expect(of(observation, 'TapAttached')?.status).toBe('True');
  expect(of(observation, 'VirtualMachine')?.message).toContain('kill 700`');
});

test('once the old one has ended, the other is set up when it has the tap', () => {
  expect(steps(macWith([current], null))).not.toContain('address-tap');
  expect(steps(macWith([current], 900))).toEqual(expect.arrayContaining(settingUp));
});

const runs = fc.uniqueArray(
  fc.record({
    pid: fc.integer({ min: 100, max: 110 }),
    uid: fc.constantFrom(501, 502),
    minute: fc.integer({ min: 0, max: 4 }),
  }),
  { selector: ({ pid }) => pid, maxLength: 6 },
);

test('whatever pids, start times and holder: set up is only what is surely the newest of its user', () => {
  const seenOf = { leftover: 0, attached: 0 };
  fc.assert(
    fc.property(runs, fc.option(fc.integer({ min: 100, max: 112 })), (list, holder) => {
      const observation = macWith(list, holder);
      const owner = list.find(({ pid }) => pid === holder);
      const rivals = list.filter(({ pid, uid }) => uid === owner?.uid && pid !== holder);
      const isNewest = owner !== undefined && rivals.every(({ minute }) => minute < owner.minute);
      const done = steps(observation).filter((kind) => settingUp.includes(kind));
      expect(new Set(done)).toEqual(new Set(isNewest ? settingUp : []));
      // Whoever holds the tap keeps its device.
      if (owner) expect(tapOwner(observation)).toBe(owner.uid);
      const attached = of(observation, 'TapAttached');
      if (isNewest) seenOf.attached += 1;
      else if (owner) {
        expect(attached?.reason).toBe('HeldByLeftover');
        expect(attached?.message).toMatch(new RegExp(`kill [\\d ]*\\b${owner.pid}\\b`));
        seenOf.leftover += 1;
      }
    }),
    { numRuns: 500 },
  );
  expect(Math.min(...Object.values(seenOf))).toBeGreaterThan(20);
});
