import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readJournal } from '../../../daemon/api/journal.js';
import type { Log } from '../../../daemon/runtime/log.js';
import { keepMemory } from '../../../daemon/runtime/memory.js';

let folder: string;
let path: string;
const complaints: string[] = [];
const complain = (message: string): void => {
  complaints.push(message);
};
const log = { warn: complain, error: complain } as unknown as Log;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'memory-'));
  path = join(folder, 'journal.json');
  complaints.length = 0;
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const route = (index: number) => ({
  subnet: `10.${index}.0.0/16`,
  gateway: '10.0.75.2',
  interface: 'tap1',
});

test('what another version of tuntapd wrote in a way of its own costs nothing of the rest', async () => {
  const restart = { attempts: [], told: null, asked: 'often', reopen: null };
  writeFileSync(
    path,
    JSON.stringify({ wanted: 'down', ownedRoutes: [route(1)], launched: ['1:42'], restart }),
  );
  const memory = await keepMemory(path, log, 'tap1');
  expect(memory.now()).toMatchObject({
    wanted: 'down',
    ownedRoutes: [route(1)],
    launched: ['42'],
    restart: { asked: 0 },
  });
  expect(complaints).toEqual([expect.stringMatching(/^some of .* cannot be read and starts anew: .*asked/)]);
});

test('a route of a journal that names no interface was on the tap of the configuration', async () => {
  writeFileSync(path, JSON.stringify({ ownedRoutes: [{ subnet: '10.1.0.0/16', gateway: '10.0.75.2' }] }));
  expect((await keepMemory(path, log, 'tap7')).now().ownedRoutes).toEqual([
    { ...route(1), interface: 'tap7' },
  ]);
  expect(complaints).toEqual([]);
});

test('routes of both families outlive the daemon in one list, and a journal from before IPv6 is read', async () => {
  const memory = await keepMemory(path, log, 'tap1');
  const dual = [route(1), { subnet: 'fd00:dead::/64', gateway: 'fd3e:d10f:52ef:75::2', interface: 'tap1' }];
  await memory.record({ ownedRoutes: dual });
  expect((await keepMemory(path, log, 'tap1')).now().ownedRoutes).toEqual(dual);
  expect(complaints).toEqual([]);
  writeFileSync(path, JSON.stringify({ wanted: 'up', ownedRoutes: [route(1)], lastLink: 'tap' }));
  const after = (await keepMemory(path, log, 'tap1')).now();
  expect(after).toMatchObject({
    ownedRoutes: [route(1)],
    ipv6: { guest: null, released: null, mayBeSetUp: null, isNeeded: false },
  });
  expect(complaints).toEqual([]);
});

test('changes that come while another one is being written are all in the journal', async () => {
  for (let round = 0; round < 20; round += 1) {
    const memory = await keepMemory(path, log, 'tap1');
    const routes = Array.from({ length: 1 + (round % 5) }, (_, index) => route(index));
    await Promise.all([memory.record({ ownedRoutes: routes }), memory.wish({ wanted: 'down' })]);
    expect(await readJournal(path)).toMatchObject({
      trouble: null,
      journal: { wanted: 'down', ownedRoutes: routes },
    });
  }
  expect(complaints).toEqual([]);
});

test('a run that has ended no longer writes over what the next one knows', async () => {
  const before = await keepMemory(path, log, 'tap1');
  await before.record({ ownedRoutes: [route(1)] });
  await before.close();
  const next = await keepMemory(path, log, 'tap1');
  await Promise.all([next.wish({ wanted: 'down' }), next.record({ ownedRoutes: [] })]);
  const journal = readFileSync(path, 'utf8');
  await before.record({ ownedRoutes: [] });
  await before.wish({ wanted: 'up' });
  expect(readFileSync(path, 'utf8')).toBe(journal);
});

test('what a full disk refuses is written as soon as it can be, and complained about once', async () => {
  const taken = join(folder, 'taken');
  const memory = await keepMemory(join(taken, 'journal.json'), log, 'tap1');
  writeFileSync(taken, '');
  await memory.wish({ wanted: 'down' });
  await memory.learn({ heldRoutes: [] });
  expect(complaints).toHaveLength(1);
  rmSync(taken);
  await memory.learn({ heldRoutes: [] });
  expect(await readJournal(join(taken, 'journal.json'))).toMatchObject({ journal: { wanted: 'down' } });
});

test('a bundle that was known by the number of its device too is known after a restart of the Mac', async () => {
  const attempts = [{ vm: '7@2024', bundle: '16777232:4711', failed: null }];
  writeFileSync(
    path,
    JSON.stringify({
      launched: ['16777232:4711', '4712'],
      restart: { attempts, told: null, asked: 0, reopen: null },
    }),
  );
  const memory = await keepMemory(path, log, 'tap1');
  expect(memory.now()).toMatchObject({
    launched: ['4711', '4712'],
    restart: { attempts: [{ bundle: '4711' }] },
  });
  expect(complaints).toEqual([]);
});

test('which link the last VM took outlives the daemon; what was seen in the VM does not', async () => {
  const memory = await keepMemory(path, log, 'tap1');
  expect(memory.now()).toMatchObject({ lastLink: null, nics: null });
  const nics = { vm: '700@then', generation: 0, bridges: [], nics: [], neighbours: [] };
  await memory.record({ lastLink: 'vmnet' });
  await memory.learn({ nics });
  expect((await keepMemory(path, log, 'tap1')).now()).toMatchObject({ lastLink: 'vmnet', nics: null });
});
