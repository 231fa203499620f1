import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { Container } from '../../../daemon/core/observation.js';
import { type Need, watchContainers } from '../../../daemon/guest/container-watch.js';
import { until } from '../../lib/until.js';

const web = { id: 'web' } as Container;

/** A watch whose lists are answered by the test, in their order. */
function watched() {
  const lists: ((containers: readonly Container[]) => void)[] = [];
  const watch = watchContainers({
    list: () => new Promise((resolve) => lists.push(resolve)),
    onChange: () => undefined,
  });
  const begun = (count: number): Promise<boolean> =>
    until(`list ${count} has begun`, 5, () => Promise.resolve(lists.length === count));
  return { watch, lists, begun };
}

test('who asks while a list is under way is told that list, not the one before, and costs no other', async () => {
  const { watch, lists, begun } = watched();
  watch.keep('addresses');
  await begun(1);
  lists[0]?.([]);
  expect(await watch.current()).toEqual([]);
  watch.changed('now');
  await begun(2);
  const asked = watch.current();
  lists[1]?.([web]);
  expect(await asked).toEqual([web]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(lists).toHaveLength(2);
});

test('who has heard of more since it began is told the next one', async () => {
  const { watch, lists, begun } = watched();
  watch.keep('addresses');
  await begun(1);
  watch.changed('now');
  const asked = watch.current();
  lists[0]?.([]);
  await begun(2);
  lists[1]?.([web]);
  expect(await asked).toEqual([web]);
});

describe('what a list lacks', () => {
  const endpoint = { id: 'e', networkId: 'n', network: 'n', ipv4: null, ipv6: null };
  const withAliases = (aliases: readonly string[] | null, id = 'e'): Container => ({
    ...web,
    endpoints: [{ ...endpoint, id, aliases }],
  });

  test('aliases are asked for again, although nothing is told, until they are known', async () => {
    const { watch, lists, begun } = watched();
    watch.keep('aliases');
    await begun(1);
    lists[0]?.([withAliases(null)]);
    await begun(2);
    lists[1]?.([withAliases(['web'])]);
    await pause(5000);
    expect(lists).toHaveLength(2);
  });

  test.each<[string, Need, Container]>([
    ['aliases that nobody needs', 'addresses', withAliases(null)],
    ['aliases of an endpoint that is not there yet', 'aliases', withAliases(null, '')],
  ])('%s are not asked for', async (_what, need, container) => {
    const { watch, lists, begun } = watched();
    watch.keep(need);
    await begun(1);
    lists[0]?.([container]);
    await pause(3000);
    expect(lists).toHaveLength(1);
  });

  test('nothing is asked for any more once nothing is to be reached', async () => {
    const { watch, lists, begun } = watched();
    watch.keep('aliases');
    await begun(1);
    lists[0]?.([withAliases(null)]);
    await watch.current();
    watch.keep('nothing');
    await pause(3000);
    expect(lists).toHaveLength(1);
  });

  test('what an engine never tells is given up, until something is heard of it', async () => {
    const asked: number[] = [];
    const watch = watchContainers({
      list: () => {
        asked.push(performance.now());
        return Promise.resolve([withAliases(null)]);
      },
      onChange: () => undefined,
    });
    watch.keep('aliases');
    await until('it was asked three times', 20, () => Promise.resolve(asked.length === 3));
    const [first = 0, second = 0, third = 0] = asked;
    expect(second - first).toBeGreaterThan(1900);
    expect(third - second).toBeGreaterThan(3900);
    // Who asks for containers meanwhile does not wait for the next time.
    watch.changed('now');
    const began = performance.now();
    await watch.current();
    expect(performance.now() - began).toBeLessThan(3000);
    watch.forget('it is gone');
  });
});
