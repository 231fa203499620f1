/** What a person reads: each transcript was looked at, at 80 and at 120 columns. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { statusLines, type View } from '../../../cli/status-view.js';
import { signsFor } from '../../../cli/signs.js';
import { verdictOf } from '../../../cli/verdicts.js';
import { configSchema } from '../../../config/schema.js';
import type { Phase, Status } from '../../../daemon/api/messages.js';
import { registry } from '../../../daemon/api/reasons/registry.js';
import { filled, linkOf } from '../../../daemon/api/reasons/remedies.js';
import { at, healthyStatus, scenes } from './scenes.js';

const { tap } = configSchema.parse({});
const signs = signsFor({ env: {} } as never, { isTTY: true, write: () => undefined });
const view = (width: number, verbose = false): View => ({
  now: at('13:20:00'),
  width,
  paint: (_colour, text) => text,
  signs,
  verbose,
  tap,
});
const shown = (status: Status, width = 80, verbose = false): string =>
  statusLines(status, view(width, verbose)).join('\n');

const cases = Object.keys(scenes).flatMap((name) => [80, 120].map((width) => [name, width] as const));

test.each(cases)('%s in %i columns', (name, width) => {
  const lines = statusLines(scenes[name] as Status, view(width));
  expect(`\n${lines.join('\n')}\n`).toMatchSnapshot();
  // Commands stay whole, for they are pasted.
  const words = lines.filter((line) => !/^ +\S*(sudo|tuntapctl|netstat|route|ifconfig) /.test(line));
  expect(Math.max(...words.map(({ length }) => length))).toBeLessThanOrEqual(width);
});

test('everything, with its times', () => {
  expect(`\n${shown(healthyStatus, 120, true)}\n`).toMatchSnapshot();
});

test.each([60, 80, 120])('every condition fits into %i columns', (width) => {
  const message = 'a long message of many words '.repeat(8).trim();
  const conditions = healthyStatus.conditions.map((each) => ({ ...each, message }));
  const lines = statusLines({ ...healthyStatus, conditions }, view(width, true));
  const told = lines.slice(lines.indexOf('Conditions') + 1);
  expect(told.slice(0, told.indexOf('')).filter((line) => line.length > width)).toEqual([]);
  expect(told.join(' ').replaceAll(/ +/g, ' ')).toContain(message);
});

test('a VM that takes no tap does not lack one, and an engine that nobody needs is not called silent', () => {
  const vm = { id: '812@x', pid: 812, startedAt: healthyStatus.since, startedWithTap: false };
  const engine = { type: 'Engine', status: 'True', reason: 'NotNeeded', message: 'not asked' } as const;
  const status = (kind: string | undefined): Status => ({
    ...healthyStatus,
    vm: kind === undefined ? vm : { ...vm, kind },
    engine: null,
    conditions: [{ ...engine, since: healthyStatus.since }],
  });
  expect(shown(status(undefined))).toContain('started without the tap');
  const text = shown(status('docker-vmm'));
  expect(text).not.toContain('without the tap');
  expect(text).toContain('Engine  not asked: nothing can be set up in this VM');
});

test('whose VM is followed is said where it is not Docker Desktop’s', () => {
  const vm = {
    id: '7@x',
    pid: 7,
    startedAt: healthyStatus.since,
    startedWithTap: false,
    kind: 'virtualization',
  };
  const status: Status = { ...healthyStatus, vm: { ...vm, runtime: { name: 'colima' } }, bundles: [] };
  expect(shown(status)).toMatch(/VM +colima’s runs for .*, pid 7$/m);
  expect(shown(status)).toMatch(/Docker +no Docker\.app$/m);
});

test.each(['idle', 'ready'] as const)('names that fail are wrong, though the phase is %s', (phase) => {
  const conditions = (scenes['names that macOS does not ask for'] as Status).conditions;
  expect(shown({ ...healthyStatus, phase, conditions })).toContain('✗ Names: /etc/resolver/docker is not');
  expect(shown({ ...healthyStatus, phase: 'down', conditions })).toContain(
    '· Names: /etc/resolver/docker is not',
  );
});

test.each([
  ['SocketStale', 'degraded', '✗'],
  ['SocketStale', 'idle', '✗'],
  ['SocketStale', 'down', '?'],
  ['NotSeen', 'working', '?'],
  ['OfANewerDaemon', 'degraded', '?'],
] as const)(
  'an engine of which nothing is known because of %s is, while %s, marked %s as by doctor',
  (...given) => {
    const [reason, phase, sign] = given;
    const engine = { type: 'Engine', status: 'Unknown', reason, message: 'left over' } as const;
    const status: Status = {
      ...healthyStatus,
      phase,
      conditions: [{ ...engine, since: healthyStatus.since }],
    };
    expect(shown(status)).toContain(`\n${sign} Engine: left over`);
    expect(verdictOf({ ...engine, since: '' }, status)).toBe(sign === '✗' ? 'fail' : 'unknown');
  },
);

test('a healthy Mac fits on one screen', () => {
  expect(statusLines(healthyStatus, view(80)).length).toBeLessThanOrEqual(24);
});

test('the same networks are told in the same order, whichever the engine has', () => {
  const refused = ['none', 'host', 'lan'].map((network) => ({
    subnet: '-',
    network,
    state: 'refused' as const,
    why: '',
  }));
  const told = (routes: Status['routes']): string => shown({ ...healthyStatus, routes });
  expect(told(refused.toReversed())).toBe(told(refused));
  expect(told(refused)).toContain('Not routed: host, lan, none.');
});

test('containers that a status has no room for are counted, and told in one line', () => {
  const { containers = [] } = healthyStatus;
  const text = shown({ ...healthyStatus, moreContainers: 1200 });
  expect(text).toContain(`, ${containers.length + 1200} containers`);
  expect(text).toContain(
    '\nAnd 1200 containers more, for which there is no room here: docker ps lists them\n',
  );
  expect(shown(healthyStatus)).not.toContain('no room');
});

test('a hundred containers of one network do not fill the screen, unless all are asked for', () => {
  const containers = Array.from({ length: 100 }, (_, index) => ({
    id: `${index}`,
    name: `worker-${index}`,
    project: null,
    service: null,
    endpoints: [{ network: 'bridge', address: `172.17.0.${index + 2}` }],
    ports: [],
  }));
  const status = { ...healthyStatus, containers };
  expect(shown(status)).toMatch(/and 88 more: tuntapctl status --verbose/);
  expect(shown(status, 80, true).match(/worker-/g)).toHaveLength(100);
});

test('each reason that is wrong is shown with every command that its record has', () => {
  for (const { type, reason, severity, whatToDo = [], dependsOn } of registry) {
    if (severity === 'fine' || severity === 'idle' || type === 'Ready') continue;
    const phase: Phase = severity === 'persistent' ? 'blocked' : 'degraded';
    const conditions = [
      { type, status: 'False' as const, reason, message: 'told', since: healthyStatus.since },
    ];
    expect(dependsOn).not.toContain(type);
    const text = shown({ ...healthyStatus, phase, conditions }, 60);
    expect(text).toContain(`✗ ${type}: told`.replace(/^✗/, severity === 'transient' ? '…' : '✗'));
    for (const remedy of whatToDo) {
      const { command } = filled(remedy, linkOf(null, tap));
      if (command !== undefined) expect(text).toContain(command);
    }
  }
});

test('no line is wider than a narrow terminal, whatever names there are', () => {
  const name = fc.string({ minLength: 1, maxLength: 90, unit: 'grapheme-ascii' });
  fc.assert(
    fc.property(name, name, fc.integer({ min: 40, max: 100 }), (network, container, width) => {
      const lines = statusLines(
        {
          ...healthyStatus,
          routes: [{ subnet: '172.17.0.0/16', network, state: 'routed', why: 'via 10.0.75.2 on tap1' }],
          containers: [
            {
              id: '1',
              name: container,
              project: network,
              service: null,
              endpoints: [{ network, address: '172.17.0.2' }],
              ports: [],
            },
          ],
        },
        view(width),
      );
      expect(lines.filter((line) => line.length > width)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
