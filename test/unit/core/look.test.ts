/** A look at the world: whom it has asked, of those that it could ask. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { chosenLink } from '../../../daemon/core/link/choice.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { seen, type Vm } from '../../../daemon/core/observation.js';
import { linkEngine } from '../../../daemon/runtime/engine.js';
import { createLook } from '../../../daemon/runtime/look.js';
import { until } from '../../lib/until.js';
import { fakeEngine, type FakeEngine } from '../guest/fake-engine.js';
import { virtualVm } from './vmnet-worlds.js';
import { config, quietMac, up } from './worlds.js';

const uid = process.getuid?.() ?? 0;
let home: string;
let engine: FakeEngine;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'home-'));
  engine = await fakeEngine();
  mkdirSync(join(home, '.docker/run'), { recursive: true });
  symlinkSync(engine.socket, join(home, '.docker/run/docker.sock'));
});

afterEach(async () => {
  await engine.close();
  rmSync(home, { recursive: true, force: true });
});

test.each<[string, Pick<Vm, 'kind'>, Pick<Memory, 'wanted'>, 'asked' | 'left alone']>([
  ['a VM of the Virtualization framework’s', { kind: 'virtualization' }, { wanted: 'up' }, 'asked'],
  ['Docker VMM’s, in which nothing can be set up', { kind: 'docker-vmm' }, { wanted: 'up' }, 'left alone'],
  ['Docker VMM’s, out of which all of ours is to go', { kind: 'docker-vmm' }, { wanted: 'removed' }, 'asked'],
])('the engine of %s', async (_what, kind, wish, what) => {
  const memory = { ...up, ...wish };
  const person = { name: 'person', uid, gid: 20, home };
  const vm = { ...virtualVm, ...kind, pid: process.pid, uid };
  const link = linkEngine({
    onChange: () => undefined,
    log: () => undefined,
    takeBack: () => Promise.resolve(),
    answers: () => Promise.resolve(),
  });
  const nothing = (): Promise<void> => Promise.resolve();
  const look = createLook({
    maker: chosenLink,
    config,
    configuration: () => ({ problem: null, inForce: true }),
    observe: () => Promise.resolve({ mac: { ...quietMac, vm: seen(vm) }, owner: seen(person), places: [] }),
    memory: { now: () => memory, record: nothing, learn: nothing },
    remembered: () => memory,
    routes: { notice: nothing },
    engine: link,
    dataPath: () => quietMac.dataPath,
    dataPath6: () => quietMac.dataPath,
    names: () => Promise.resolve(quietMac.names),
    longestRunning: () => Promise.resolve(null),
    onUser: () => undefined,
    onVm: () => undefined,
    onBundles: nothing,
  });
  try {
    await look();
    if (what === 'asked') await until('it is asked', 10, () => Promise.resolve(engine.asked.length > 0));
    else await new Promise((resolve) => setTimeout(resolve, 300));
    expect(engine.asked.length > 0).toBe(what === 'asked');
  } finally {
    link.stop();
  }
});
