import { expect, test } from '@jest/globals';
import { createAtWork } from '../../../daemon/runtime/at-work.js';

/** An engine that says this in turn, or nothing. */
function engine(said: readonly ({ name: string; seconds: number } | null | Error)[]) {
  const rest = [...said];
  const ask = createAtWork(() => {
    const next = rest.shift() ?? null;
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  });
  return { ask, left: () => rest.length };
}

const web = { name: 'web', seconds: 3600 };

test('that nobody is at work is asked every time: a moment later somebody may be', async () => {
  const { ask } = engine([null, { name: 'web', seconds: 5 }, web]);
  expect(await ask('session')).toEqual({ known: true, value: null });
  expect(await ask('session')).toMatchObject({ value: { seconds: 5 } });
  expect(await ask('session')).toEqual({ known: true, value: web });
});

test('that somebody is at work, or nobody knows, is asked once an occasion', async () => {
  const { ask, left } = engine([web, new Error('no answer'), null]);
  expect(await ask('session')).toEqual({ known: true, value: web });
  expect(await ask('session')).toEqual({ known: true, value: web });
  expect(left()).toBe(2);
  const silent = { known: false, why: expect.stringContaining('no answer') };
  expect(await ask('up')).toMatchObject(silent);
  expect(await ask('up')).toMatchObject(silent);
  expect(left()).toBe(1);
});
