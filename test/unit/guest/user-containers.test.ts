import { expect, test } from '@jest/globals';
import { type EngineClient, EngineError } from '../../../daemon/guest/engine-client.js';
import { longestRunning } from '../../../daemon/guest/user-containers.js';

/** The VM's clock is an hour behind the Mac's, as after a night's sleep. */
const now = Date.now() - 3_600_000;
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString().replace('Z', '123456Z');

interface Container {
  name: string;
  created: number;
  started: number;
  ours?: boolean;
}

/** An engine whose containers were made and started so many seconds ago. */
function engineOf(containers: readonly Container[]): EngineClient {
  const answers: Record<string, unknown> = {
    '/info': { SystemTime: ago(0) },
    '/containers/json': containers.map(({ name, created, ours }) => ({
      Id: name,
      Names: [`/${name}`],
      Created: Math.floor(now / 1000) - created,
      Labels: ours === true ? { 'io.github.tuntapd': 'helper' } : null,
    })),
    ...Object.fromEntries(
      containers.map(({ name, started }) => [
        `/containers/${name}/json`,
        { State: { StartedAt: ago(started) } },
      ]),
    ),
  };
  const unused = (): never => {
    throw new Error('nothing but JSON is asked for');
  };
  return {
    version: '28.5.2',
    architecture: 'amd64',
    json: (_method, path, schema) => Promise.resolve().then(() => schema.parse(answers[path])),
    bytes: unused,
    stream: unused,
    attach: unused,
  };
}

test.each<[string, Container[], { name: string; seconds: number } | null]>([
  ['none', [], null],
  ['only ours', [{ name: 'helper', created: 900, started: 900, ours: true }], null],
  [
    'several',
    [
      { name: 'young', created: 30, started: 30 },
      { name: 'old', created: 9000, started: 300 },
      { name: 'restarted', created: 99_000, started: 5 },
    ],
    { name: 'old', seconds: 300 },
  ],
])('of %s the longest running by the VM’s clock', async (_what, containers, expected) => {
  const found = await longestRunning(engineOf(containers));
  expect(found && { ...found, seconds: Math.round(found.seconds) }).toEqual(expected);
});

test.each<[string, Container[], string]>([
  ['before', [{ name: 'work', created: -3600, started: -3600 }], 'work'],
  [
    'before, beside younger ones,',
    [
      { name: 'young', created: 30, started: 30 },
      { name: 'work', created: -3600, started: -3600 },
    ],
    'work',
  ],
])(
  'one that was started %s the VM’s clock was set back runs longer than any',
  async (_when, containers, name) => {
    expect(await longestRunning(engineOf(containers))).toEqual({ name, seconds: Infinity });
  },
);

test('one that was started while the engine was asked has just been started', async () => {
  const found = await longestRunning(engineOf([{ name: 'new', created: -2, started: -2 }]));
  expect(found).toEqual({ name: 'new', seconds: 0 });
});

test('one that ended since the list was made is none', async () => {
  const engine = engineOf([
    { name: 'gone', created: 9000, started: 9000 },
    { name: 'there', created: 60, started: 60 },
  ]);
  const json: EngineClient['json'] = (method, path, schema) =>
    path === '/containers/gone/json'
      ? Promise.reject(new EngineError(404, 'No such container: gone'))
      : engine.json(method, path, schema);
  expect(await longestRunning({ ...engine, json })).toMatchObject({ name: 'there' });
});

test('an engine that talks nonsense is no engine without containers', async () => {
  await expect(
    longestRunning({
      ...engineOf([]),
      json: (_m, _p, schema) => Promise.resolve().then(() => schema.parse({})),
    }),
  ).rejects.toThrow();
});

test('an engine that never tells is given up after so long for all of it', async () => {
  const containers = Array.from({ length: 50 }, (_, index) => ({
    name: `c${index}`,
    created: 900 + index,
    started: 1,
  }));
  const engine = engineOf(containers);
  // Each answer comes in time, and all of them never do.
  const json: EngineClient['json'] = async (method, path, schema, how) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    how?.signal?.throwIfAborted();
    return engine.json(method, path, schema, how);
  };
  await expect(longestRunning({ ...engine, json }, 200)).rejects.toThrow('not done within 0.2 s');
});

test('thousands of containers are not asked for one by one', async () => {
  const containers = Array.from({ length: 5000 }, (_, index) => ({
    name: `c${index}`,
    created: 9000 + index,
    started: 1,
  }));
  let asked = 0;
  const engine = engineOf(containers);
  const json: EngineClient['json'] = (...question) => {
    asked += 1;
    return engine.json(...question);
  };
  await expect(longestRunning({ ...engine, json })).rejects.toThrow('more than 100 containers run');
  expect(asked).toBeLessThan(110);
});
