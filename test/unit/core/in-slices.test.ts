import { expect, test } from '@jest/globals';
import type { Work } from '../../../daemon/lib/work.js';
import { inSlices } from '../../../daemon/lib/in-slices.js';

/** Work of so many milliseconds, which may be put down after each of them. */
function* busyFor(milliseconds: number): Work<string> {
  for (let done = 0; done < milliseconds; done += 1) {
    for (const began = performance.now(); performance.now() - began < 1;);
    yield;
  }
  return 'done';
}

test('whatever waits has its turn during long work', async () => {
  let turns = 0;
  let isOver = false;
  const wait = (): void => {
    turns += 1;
    if (!isOver) setTimeout(wait, 1);
  };
  setTimeout(wait, 1);
  expect(await inSlices(busyFor(100))).toBe('done');
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(5);
});

test('short work is done before anything else', async () => {
  let isOver = false;
  const result = inSlices(busyFor(0)).then((made) => {
    expect(isOver).toBe(false);
    return made;
  });
  setImmediate(() => {
    isOver = true;
  });
  expect(await result).toBe('done');
});

test('it fails as the work does', async () => {
  // eslint-disable-next-line require-yield
  const broken = function* (): Work<string> {
    throw new Error('broken');
  };
  await expect(inSlices(broken())).rejects.toThrow('broken');
});
