/** What doctor says of a Mac, and by its exit code: the two never disagree. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configSchema } from '../../../config/schema.js';
import type { Condition, Phase, Status } from '../../../daemon/api/messages.js';
import { conditionTypes } from '../../../daemon/api/reasons/record.js';
import { questionOf, registry } from '../../../daemon/api/reasons/registry.js';
import { filled, linkOf } from '../../../daemon/api/reasons/remedies.js';
import { healthyStatus, scenes } from './scenes.js';
import { codesWith, type Stage, stage, terminal } from './stage.js';

let mac: Stage;
beforeEach(async () => {
  mac = await stage();
  await mac.install();
});
afterEach(() => mac.end());

const told = (
  type: string,
  reason: string,
  status: Condition['status'] = 'False',
  message = `${type} ${reason}`,
): Condition => ({ type, status, reason, message, since: '2026-03-04T05:06:07.000Z' });

function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('there is one');
  return value;
}

/** A healthy Mac’s status but for these conditions. */
const statusWith = (phase: Phase, ...changed: readonly Condition[]): Status => ({
  ...healthyStatus,
  phase,
  conditions: [
    ...healthyStatus.conditions.filter(({ type }) => !changed.some((each) => each.type === type)),
    ...changed,
  ],
});

const noVm = must(scenes['idle']).conditions.filter(
  ({ type, status }) => status !== 'True' && type !== 'Ready',
);

describe('a Docker.app that may not be changed, while no VM runs', () => {
  beforeEach(() =>
    mac.daemon(
      statusWith(
        'blocked',
        told('Shim', 'ReadOnly'),
        ...noVm,
        told('Ready', 'ReadOnly', 'False', 'Shim ReadOnly'),
      ),
    ),
  );

  test('the shim alone is wrong: that no VM runs is not', async () => {
    const said = await mac.cli(['doctor']);
    expect(codesWith('FAIL', said)).toEqual(['TT103']);
    expect(codesWith('-', said)).toEqual(['TT104']);
    expect(said.code).toBe(4);
  });

  test.each(['TT104', 'TT105', 'TT107', 'TT108', 'TT109'])(
    '%s by itself is as it should be',
    async (code) => {
      const said = await mac.cli(['doctor', code]);
      expect(codesWith('-', said)).toEqual([code]);
      expect(said.code).toBe(0);
    },
  );
});

test('an engine that nobody finds is wrong, though nobody can tell what it would say', async () => {
  await mac.daemon(
    statusWith(
      'degraded',
      told('Engine', 'SocketStale', 'Unknown', 'left over'),
      told('Guest', 'NoEngine'),
      told('DataPath', 'NoLink'),
      told('Ready', 'SocketStale', 'False', 'left over'),
    ),
  );
  const said = await mac.cli(['doctor']);
  expect(codesWith('FAIL', said)).toEqual(['TT107']);
  expect(said.out).toMatch(/, 1 wrong, /);
  expect(said.code).toBe(4);
});

test('while nobody knows yet why containers do not answer, that they do not is wrong', async () => {
  await mac.daemon(
    statusWith(
      'working',
      told('Engine', 'NotSeen', 'Unknown', 'no answer yet'),
      told('Guest', 'NoEngine'),
      told('Ready', 'NotSeen', 'False', 'no answer yet'),
    ),
  );
  const said = await mac.cli(['doctor']);
  expect(codesWith('?', said)).toContain('TT107');
  expect(codesWith('FAIL', said)).toEqual(['TT110']);
  expect(said.code).toBe(4);
});

test('whatever reason a condition has: something is printed as wrong if and only if doctor ends with 4', async () => {
  const phases: readonly Phase[] = ['ready', 'idle', 'degraded'];
  for (const { type, reason } of registry)
    for (const status of ['False', 'Unknown'] as const)
      for (const phase of phases) {
        const isHealthy = phase !== 'degraded';
        const message = `${type} ${reason}`;
        const summary = isHealthy ? [] : [told('Ready', reason, 'False', message)];
        const wrong = type === 'Ready' ? summary : [told(type, reason, status, message), ...summary];
        await mac.daemon(statusWith(phase, ...(phase === 'idle' ? noVm : []), ...wrong));
        const { code, out, errors } = await mac.cli(['doctor']);
        const failing = codesWith('FAIL', { code, out, errors });
        expect({ type, reason, status, phase, code, failing }).toEqual({
          type,
          reason,
          status,
          phase,
          code: failing.length > 0 ? 4 : 0,
          failing,
        });
        if (!isHealthy) expect({ type, reason, status, phase, code }).toMatchObject({ code: 4 });
      }
}, 120_000);

test('a condition that an older daemon lacks is not known', async () => {
  await mac.daemon({
    ...healthyStatus,
    conditions: healthyStatus.conditions.filter(({ type }) => type !== 'Names'),
  });
  const said = await mac.cli(['doctor', 'TT120']);
  expect(codesWith('?', said)).toEqual(['TT120']);
  expect(said.out).toContain('this daemon says nothing of it');
  expect(said.out).toMatch(/0 as it should be, 0 wrong, 1 not known\n$/);
});

test.each(registry.filter(({ isTerminal }) => isTerminal === true))(
  '$type: $reason is told once, as there being no way to the VM',
  async ({ type, reason }) => {
    await mac.daemon(
      statusWith('blocked', told(type, reason), told('Ready', reason, 'False', `${type} ${reason}`)),
    );
    expect(codesWith('FAIL', await mac.cli(['doctor']))).toEqual(['TT001']);
    const code = questionOf(type)?.code ?? '';
    expect(codesWith('FAIL', await mac.cli(['doctor', code]))).toEqual([code]);
  },
);

test('each condition is asked by its code', async () => {
  await mac.daemon(healthyStatus);
  for (const type of conditionTypes) {
    const { out } = await mac.cli(['doctor', questionOf(type)?.code ?? '']);
    expect(out).toContain(questionOf(type)?.question);
  }
});

describe('commands are for the link that there is', () => {
  const link = { ...must(healthyStatus.link), interface: 'bridge100', address: '192.168.106.1' };
  const stale: Status = {
    ...statusWith('degraded', told('Ready', 'AddressNotRemoved')),
    link: { ...link, peer: '192.168.106.7', network: '192.168.106.0/24' },
  };
  const command = 'sudo ifconfig bridge100 inet 192.168.106.1 delete';

  test.each(['status', 'doctor'])('%s names its interface and its address', async (name) => {
    await mac.daemon(stale);
    expect((await mac.cli([name])).out).toContain(`Delete it yourself: ${command}\n`);
  });

  test('without a link they are for the one that is configured', async () => {
    await mac.daemon({ ...stale, link: null });
    expect((await mac.cli(['doctor'])).out).toContain('sudo ifconfig tap1 inet 10.0.75.1 delete\n');
  });

  test('a network is told as it is written after its address', () => {
    const { tap } = configSchema.parse({});
    const remedy = { text: 'Take the row of {network} away, via {peer}' };
    expect(filled(remedy, linkOf(null, tap)).text).toBe('Take the row of 10.0.75.0/30 away, via 10.0.75.2');
    expect(filled(remedy, linkOf(stale, tap)).text).toBe(
      'Take the row of 192.168.106.0/24 away, via 192.168.106.7',
    );
  });
});

test.each([40, 60, 80])(
  'on a terminal of %i columns sentences wrap, and no command does',
  async (columns) => {
    for (const { type, reason, severity, whatToDo = [] } of registry) {
      if (severity !== 'persistent') continue;
      await mac.daemon(statusWith('blocked', told(type, reason)));
      const { out } = await mac.cli(['doctor', must(questionOf(type)).code], terminal(columns));
      const text = out.replaceAll(/\s+/g, ' ');
      for (const each of whatToDo) {
        const { text: what, command } = filled(each, linkOf(healthyStatus, configSchema.parse({}).tap));
        expect(text).toContain(what);
        if (command !== undefined) expect(out).toContain(command);
      }
      const prose = out.split('\n').filter((line) => !/[`:?]/.test(line));
      expect(prose.filter((line) => line.length > columns)).toEqual([]);
    }
  },
);
