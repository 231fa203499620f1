import { afterEach, expect, test } from '@jest/globals';
import { type EngineWatch, watchEngine } from '../../../daemon/guest/engine-watch.js';
import { type Engine, seen } from '../../../daemon/observation.js';
import { fakeEngine, type FakeEngine } from './fake-engine.js';

const vm = { id: '9@then', pid: 9, uid: 501, startedAt: 'then', startedWithTap: true, executable: null };
let engine: FakeEngine;
let watch: EngineWatch;

afterEach(async () => {
  watch.stop();
  await engine.close();
});

async function until(holds: (engine: Engine) => boolean): Promise<Engine> {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    const snapshot = watch.snapshot();
    const value = snapshot.known ? snapshot.value : null;
    if (value && holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not seen: ${JSON.stringify(watch.snapshot())}`);
}

async function start(): Promise<Engine> {
  engine = await fakeEngine();
  watch = watchEngine({
    findSocket: () => Promise.resolve(seen(engine.socket)),
    vm,
    onChange: () => undefined,
    log: () => undefined,
  });
  return until(() => true);
}

const event = (Type: string, Action: string): string => `${JSON.stringify({ Type, Action })}\n`;

test('an image that arrives is counted within the same session; our own tag is not', async () => {
  const { session, images } = await start();
  expect(images).toBe(0);
  engine.emit(event('image', 'tag') + event('image', 'pull'));
  expect((await until(({ images: now }) => now > 0)).images).toBe(1);
  expect((await until(() => true)).session).toBe(session);
});

test('a line that makes no sense ends nothing', async () => {
  const { session } = await start();
  engine.emit('<html>\n{"Type":7}\n' + event('image', 'load'));
  expect((await until(({ images }) => images === 1)).session).toBe(session);
});

test('a daemon that reloads its settings begins a new session, since its rules are new', async () => {
  const { session } = await start();
  engine.emit(event('daemon', 'reload'));
  await until((now) => now.session !== session);
});

test('idle, it asks nothing', async () => {
  await start();
  const before = engine.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(engine.asked.slice(before)).toEqual([]);
});
