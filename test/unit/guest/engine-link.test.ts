import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type EngineLink, linkEngine } from '../../../daemon/runtime/engine.js';
import type { Vm } from '../../../daemon/core/observation.js';
import { until } from '../../lib/until.js';
import { fakeEngine, type FakeEngine } from './fake-engine.js';

const uid = process.getuid?.() ?? 0;
let home: string;
let engine: FakeEngine;
let link: EngineLink;
let hyperkit: ChildProcess;
let vm: Vm;

beforeEach(() => {
  hyperkit = spawn('/bin/sleep', ['60']);
  const pid = hyperkit.pid ?? 0;
  vm = {
    id: `${pid}@then`,
    pid,
    uid,
    startedAt: 'then',
    startedWithTap: true,
    tapIsForeign: false,
    executable: null,
  };
});

afterEach(async () => {
  hyperkit.kill();
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

test('a VM that has ended is not asked for, though nobody has looked since: Docker would start it again', async () => {
  const person = await start();
  link.follow(person, vm);
  await answers();
  hyperkit.kill();
  await once(hyperkit, 'exit');
  const before = engine.asked.length;
  engine.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 6000));
  await expect(link.containers()).rejects.toThrow();
  expect(engine.asked).toHaveLength(before);
});

test('a VM of another runtime’s is asked at its own socket, and Docker Desktop’s is left alone', async () => {
  const person = await start();
  const other = await fakeEngine();
  try {
    link.follow(person, { ...vm, runtime: { name: 'colima', socket: other.socket } });
    await answers();
    expect(other.asked.length).toBeGreaterThan(0);
    expect(engine.asked).toEqual([]);
    // docker is told of another socket of the same VM.
    const before = other.asked.length;
    link.follow(person, { ...vm, runtime: { name: 'colima', socket: engine.socket } });
    await answers();
    expect(engine.asked.length).toBeGreaterThan(0);
    expect(other.asked).toHaveLength(before);
  } finally {
    await other.close();
  }
});

test('a socket of another user’s is refused, whoever’s context leads there', async () => {
  const person = await start();
  link.follow({ ...person, uid: uid + 1 }, { ...vm, runtime: { name: 'colima', socket: engine.socket } });
  const last = await until('it is refused', 90, () => {
    const said = link.last();
    return Promise.resolve(!said.known && said.reason !== undefined && said);
  });
  expect(last).toMatchObject({ known: false, reason: 'SocketForeign' });
}, 100_000);
