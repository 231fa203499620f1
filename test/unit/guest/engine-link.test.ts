import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { type EngineLink, linkEngine } from '../../../daemon/engine-link.js';
import { until } from '../../lab/until.js';
import { fakeEngine, type FakeEngine } from './fake-engine.js';

const uid = process.getuid?.() ?? 0;
const vm = { id: '9@then', pid: 9, uid, startedAt: 'then', startedWithTap: true, executable: null };
let home: string;
let engine: FakeEngine;
let link: EngineLink;

afterEach(async () => {
  link.stop();
  await engine.close();
  rmSync(home, { recursive: true, force: true });
});

async function start(): Promise<{ name: string; uid: number; gid: number; home: string }> {
  home = mkdtempSync(join(tmpdir(), 'home-'));
  engine = await fakeEngine();
  mkdirSync(join(home, '.docker/run'), { recursive: true });
  symlinkSync(engine.socket, join(home, '.docker/run/docker.sock'));
  link = linkEngine({ onChange: () => undefined, log: () => undefined });
  return { name: 'person', uid, gid: 20, home };
}

const answers = (): Promise<boolean> =>
  until('the engine answers', 10, () => {
    const last = link.last();
    return Promise.resolve(last.known && last.value !== null);
  });

test('the engine is asked while its VM is there, and not otherwise', async () => {
  const person = await start();
  expect(link.follow(person, null)).toEqual({ known: true, value: null });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(engine.asked).toEqual([]);
  link.follow(person, vm);
  await answers();
  link.follow(person, null);
  const before = engine.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(engine.asked).toHaveLength(before);
});

test('a pass that outlives the end of its run follows nobody any more', async () => {
  const person = await start();
  link.follow(person, vm);
  await answers();
  link.stop();
  const before = engine.asked.length;
  link.follow(person, vm);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(engine.asked).toHaveLength(before);
});
