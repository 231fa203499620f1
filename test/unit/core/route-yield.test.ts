import { expect, test } from '@jest/globals';
import {
  followRoutes,
  heldRoutes,
  nextDue,
  noHistory,
  type RouteHistory,
} from '../../../daemon/core/routes/yield.js';
import type { Route } from '../../../daemon/core/observation.js';
import { lan, ownedRoutes, route } from './worlds.js';

const subnet = '172.18.0.0/16';
const row = route({ destination: subnet, gateway: '10.0.75.2', interface: 'tap1', flags: 'UGSc' });
const owned = ownedRoutes(subnet);

/** A daemon with one route, whose looks are every 100 ms; `flush` is what takes the route away. */
function stage() {
  let history: RouteHistory = noHistory;
  let now = 0;
  let stands = true;
  let others: readonly Route[] = lan;
  const adds: number[] = [];
  return {
    flush: () => {
      stands = false;
    },
    change: (rows: readonly Route[]) => {
      others = rows;
    },
    adds,
    state: () => heldRoutes(history, now)[0]?.state ?? (stands ? 'stands' : 'missing'),
    pass: (milliseconds: number, each: (time: number) => void = () => undefined) => {
      let believed = stands ? owned : [];
      for (const end = now + milliseconds; now < end; now += 100) {
        each(now);
        history = followRoutes(history, {
          owned: believed,
          table: stands ? [...others, row] : others,
          linkIsUp: true,
          now,
        });
        if (!stands && heldRoutes(history, now).length === 0) {
          adds.push(now);
          stands = true;
        }
        believed = stands ? owned : [];
      }
    },
    due: () => nextDue(history, now),
  };
}

test('a route that is removed once is back at once', () => {
  const mac = stage();
  mac.pass(1000);
  mac.flush();
  // The first look finds it missing, and adds it.
  mac.pass(100);
  expect(mac.state()).toBe('stands');
  expect(mac.due()).toBeNull();
});

test('one that is flushed every 2 s is yielded within half a minute, and back when that ends', () => {
  const mac = stage();
  mac.pass(60_000, (time) => {
    if (time % 2000 === 0) mac.flush();
  });
  expect(mac.state()).toBe('yielded');
  expect(mac.adds.length).toBeLessThan(10);
  expect(mac.due()).not.toBeNull();
  mac.pass(60_000);
  expect(mac.state()).toBe('stands');
});

test('it stays yielded while others’ rows keep changing', () => {
  const mac = stage();
  mac.pass(20_000, (time) => {
    if (time % 1000 === 0) mac.flush();
  });
  expect(mac.state()).toBe('yielded');
  mac.pass(600_000, (time) => {
    const gateway = `10.80.0.${Math.floor(time / 5000) % 2}`;
    mac.change([...lan, route({ destination: '10.9.0.0/24', gateway, interface: 'utun4', flags: 'UGSc' })]);
  });
  expect(mac.state()).toBe('yielded');
  mac.pass(120_000);
  expect(mac.state()).toBe('stands');
});

test('a route that stood for a minute starts afresh', () => {
  const mac = stage();
  for (let round = 0; round < 10; round += 1) {
    mac.flush();
    mac.pass(100);
    expect(mac.state()).toBe('stands');
    mac.pass(70_000);
  }
});

test('with the link every route goes, and that is nobody’s fault', () => {
  const look = { owned, table: lan, now: 5 };
  const history = followRoutes(noHistory, { ...look, linkIsUp: false });
  expect(heldRoutes(history, 5)).toEqual([]);
  expect(nextDue(history, 5)).toBeNull();
});
