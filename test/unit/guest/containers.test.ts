import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Container, Engine } from '../../../daemon/core/observation.js';
import { addressesOf } from '../../../daemon/core/probe.js';
import { listContainers } from '../../../daemon/guest/containers.js';
import { connectEngine } from '../../../daemon/guest/engine-client.js';
import { type EngineWatch, watchEngine } from '../../../daemon/guest/engine-watch.js';
import { fakeEngine, type FakeEngine } from './fake-engine.js';

const vm = {
  id: '9@then',
  pid: 9,
  uid: 501,
  startedAt: 'then',
  startedWithTap: true,
  tapIsForeign: false,
  executable: null,
};
const path = 'GET /containers/json';

let engine: FakeEngine;
let watch: EngineWatch;
/** What the engine answers besides; changed while it runs. */
let says: Record<string, string | undefined>;
/** How often something new was told of. */
let changes = 0;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

const listed = (id: string, IPAddress: string, more: object = {}): object => ({
  Id: id,
  Names: [`/${id}`],
  State: 'running',
  NetworkSettings: {
    Networks: { bridge: { NetworkID: 'n1', EndpointID: `e-${id}-${IPAddress}`, IPAddress } },
  },
  ...more,
});
const runs = (...containers: unknown[]): void => {
  says[path] = JSON.stringify(containers);
};

const event = (Type: string, Action: string, ID: string, Attributes: object = {}): string =>
  `${JSON.stringify({ Type, Action, Actor: { ID, Attributes } })}\n`;
const started = (id: string): string => event('container', 'start', id, { name: id });
const died = (id: string): string => event('container', 'die', id, { name: id });
const joined = (id: string): string => event('network', 'connect', 'n1', { type: 'bridge', container: id });

const seenNow = (): Engine | null => {
  const snapshot = watch.snapshot();
  return snapshot.known ? snapshot.value : null;
};
const containersNow = (): readonly Container[] | string => {
  const found = seenNow()?.containers;
  return found?.known === true ? found.value : (found?.why ?? 'no engine');
};
const namesNow = (): readonly string[] | string => {
  const found = containersNow();
  return typeof found === 'string' ? found : found.map(({ name }) => name);
};
/** Milliseconds until it holds. */
async function until(what: string, holds: () => boolean, most = 5000): Promise<number> {
  const began = performance.now();
  while (!holds()) {
    if (performance.now() - began > most)
      throw new Error(`${what}: not within ${most} ms, but ${JSON.stringify(watch.snapshot())}`);
    await pause(5);
  }
  return performance.now() - began;
}
const lists = (): number => engine.asked.filter((asked) => asked.includes('/containers/json')).length;

beforeEach(async () => {
  says = {};
  runs();
  engine = await fakeEngine({ says });
  changes = 0;
  watch = watchEngine({
    find: () => Promise.resolve(engine.dial),
    vm,
    onChange: () => {
      changes += 1;
    },
    log: () => undefined,
  });
  await until('the engine answers', () => seenNow() !== null);
});
afterEach(async () => {
  watch.stop();
  await engine.close();
});

/** They are needed, and known; a second has gone by since they were listed. */
async function kept(...containers: object[]): Promise<void> {
  runs(...containers);
  watch.keepContainers('addresses');
  await until('they are known', () => typeof containersNow() !== 'string');
  await pause(1050);
}

describe('what an engine lists', () => {
  const list = async (...said: unknown[]): Promise<readonly Container[]> => {
    runs(...said);
    return listContainers(await connectEngine(engine.dial));
  };

  test('is known with names, labels, networks of both families and ports', async () => {
    const [web] = await list({
      Id: 'a'.repeat(64),
      Names: ['/proxy/backend', '/shop-web-1'],
      State: 'running',
      Labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' },
      HostConfig: { NetworkMode: 'shop_default' },
      NetworkSettings: {
        Networks: {
          shop_default: {
            NetworkID: 'n2',
            EndpointID: 'e1',
            IPAddress: '172.18.0.2',
            GlobalIPv6Address: 'FD00:0:0::2/64',
            Aliases: null,
          },
        },
      },
      Ports: [
        { PrivatePort: 80, Type: 'tcp' },
        { IP: '0.0.0.0', PrivatePort: 443, PublicPort: 8443, Type: 'tcp' },
        { IP: '::', PrivatePort: 443, PublicPort: 8443, Type: 'tcp' },
      ],
    });
    expect(web).toEqual({
      id: 'a'.repeat(64),
      name: 'shop-web-1',
      labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' },
      paused: false,
      networkMode: 'shop_default',
      endpoints: [
        {
          id: 'e1',
          networkId: 'n2',
          network: 'shop_default',
          ipv4: '172.18.0.2',
          ipv6: 'fd00::2',
          aliases: null,
        },
      ],
      ports: [
        { port: 80, protocol: 'tcp', published: [] },
        { port: 443, protocol: 'tcp', published: [8443] },
      ],
    });
  });

  test('of one that is paused is known, but nobody expects it to answer', async () => {
    const found = await list(
      listed('web', '172.17.0.2'),
      listed('asleep', '172.17.0.3', { State: 'paused' }),
    );
    expect(found.map(({ name, paused }) => [name, paused])).toEqual([
      ['web', false],
      ['asleep', true],
    ]);
    expect(addressesOf(found)).toEqual(['172.17.0.2']);
  });

  test('of our own helper is not', async () => {
    const ours = listed('c0ffee', '', { Labels: { 'io.github.tuntapd': 'helper' } });
    expect(await list(ours)).toEqual([]);
  });

  test('that harms a terminal, is endless, or is no address, does so no more', async () => {
    const many = Array.from({ length: 5000 }, (_, index): [string, string] => [`l${index}`, 'x']);
    const [odd] = await list({
      Id: 'id\u001b[2J',
      Names: ['/we\u202eb', 7],
      Labels: { ...Object.fromEntries(many), 'a\u0000b': 'y'.repeat(100_000) },
      HostConfig: 'none',
      NetworkSettings: {
        Networks: { net: { NetworkID: {}, IPAddress: '999.1.1.1', GlobalIPv6Address: 'fe80::1%eth0' } },
      },
      Ports: [{ PrivatePort: 70_000, Type: 'tcp' }, { PrivatePort: 1, Type: 'x' }, null],
    });
    expect(odd).toMatchObject({
      id: 'id [2J',
      name: 'we b',
      networkMode: '',
      endpoints: [{ networkId: '', network: 'net', ipv4: null, ipv6: null }],
      ports: [],
    });
    expect(Object.keys(odd?.labels ?? {}).length).toBeLessThanOrEqual(200);
    expect(JSON.stringify(odd).length).toBeLessThan(20_000);
  });
});

describe('running containers', () => {
  test('are asked for by nobody while nothing needs them', async () => {
    await pause(3300);
    const before = engine.asked.length;
    engine.emit(started('web') + died('web') + event('container', 'rename', 'web'));
    await pause(1200);
    expect(engine.asked).toHaveLength(before);
    expect(containersNow()).toContain('not asked');
  });

  test('are known as soon as something needs them, by one request', async () => {
    runs(listed('web', '172.17.0.2'));
    watch.keepContainers('addresses');
    await until('it is known', () => namesNow().includes('web'));
    expect(await watch.containers()).toEqual(containersNow());
    await pause(1200);
    expect(lists()).toBe(1);
  });

  test('one that starts is known at once, by one request with the one for its network', async () => {
    await kept();
    const [before, told] = [engine.asked.length, changes];
    engine.emit(joined('web'));
    await pause(200);
    runs(listed('web', '172.17.0.2'));
    engine.emit(started('web'));
    expect(await until('it is known', () => namesNow().includes('web'))).toBeLessThan(500);
    expect(changes).toBeGreaterThan(told);
    await pause(1200);
    expect(engine.asked.slice(before).map((asked) => asked.replace(/\?.*/, ''))).toEqual([
      'GET /v1.51/networks/n1',
      'GET /v1.51/containers/json',
    ]);
  });

  test('twenty that start one after the other are each known a second later at the most, by few requests', async () => {
    await kept();
    const before = lists();
    const there: object[] = [];
    for (let index = 0; index < 20; index += 1) {
      there.push(listed(`c${index}`, `172.17.0.${index + 2}`));
      runs(...there);
      engine.emit(started(`c${index}`));
      await pause(100);
    }
    expect(await until('the last is known', () => namesNow().length === 20)).toBeLessThan(1100);
    await pause(1200);
    expect(lists() - before).toBeLessThanOrEqual(4);
  });

  test('one that is restarted costs one request, and has its new address', async () => {
    await kept(listed('web', '172.17.0.2'));
    const before = lists();
    engine.emit(died('web') + event('network', 'disconnect', 'n1', { type: 'bridge' }));
    await pause(100);
    runs(listed('web', '172.17.0.9'));
    engine.emit(joined('web') + started('web'));
    await until('its address is', () => {
      const found = containersNow();
      return typeof found !== 'string' && addressesOf(found).includes('172.17.0.9');
    });
    await pause(1200);
    expect(lists() - before).toBe(1);
  });

  test('one that ended is not known any more', async () => {
    await kept(listed('web', '172.17.0.2'));
    runs();
    engine.emit(died('web'));
    expect(await until('it is gone', () => namesNow().length === 0)).toBeLessThan(1000);
  });

  test('one that starts long after it joined its network is known at its start, by one list', async () => {
    await kept();
    const before = lists();
    await pause(1200);
    engine.emit(joined('web'));
    await pause(800);
    runs(listed('web', '172.17.0.2'));
    engine.emit(started('web'));
    expect(await until('it is known', () => namesNow().includes('web'))).toBeLessThan(500);
    expect(lists() - before).toBe(1);
  });

  test('one that joins another network while it runs is known there', async () => {
    await kept(listed('web', '172.17.0.2'));
    const more = { b: { NetworkID: 'n2', IPAddress: '172.18.0.2' }, a: { IPAddress: '172.17.0.2' } };
    runs(listed('web', '', { NetworkSettings: { Networks: more } }));
    engine.emit(joined('web'));
    await until('its second address is', () => JSON.stringify(containersNow()).includes('172.18.0.2'));
  });

  test('one that is renamed has its new name, and no network is asked for', async () => {
    await kept(listed('web', '172.17.0.2'));
    const { listed: times } = seenNow() ?? {};
    const before = engine.asked.length;
    runs(listed('web', '172.17.0.2', { Names: ['/shop'] }));
    engine.emit(event('container', 'rename', 'web', { oldName: '/web' }));
    await until('its name is', () => namesNow().includes('shop'));
    expect(engine.asked.slice(before)).toHaveLength(1);
    expect(seenNow()?.listed).toBe(times);
  });

  test('are not asked for when a network is made, which has none', async () => {
    await kept(listed('web', '172.17.0.2'));
    const before = lists();
    engine.emit(event('network', 'create', 'n7', { type: 'bridge' }));
    await pause(1200);
    expect(lists()).toBe(before);
    expect(namesNow()).toEqual(['web']);
  });

  test('are unknown when the engine does not tell, which nothing else is; and known when it does again', async () => {
    await kept(listed('web', '172.17.0.2'));
    says[path] = '{"message":"busy"}';
    engine.emit(started('other'));
    await until('they are unknown', () => typeof containersNow() === 'string');
    expect(containersNow()).toContain('makes no sense');
    expect(seenNow()).toMatchObject({ version: '28.5.2', networks: [] });
    await expect(watch.containers()).rejects.toThrow(/makes no sense/);
    runs(listed('other', '172.17.0.3'));
    expect(addressesOf(await watch.containers())).toEqual(['172.17.0.3']);
    expect(namesNow()).toEqual(['other']);
  });

  test('are unknown rather than out of date once nothing needs them', async () => {
    await kept(listed('web', '172.17.0.2'));
    watch.keepContainers('nothing');
    expect(namesNow()).toEqual(['web']);
    const before = lists();
    engine.emit(died('web'));
    await until('they are unknown', () => typeof containersNow() === 'string');
    await pause(1200);
    expect(lists()).toBe(before);
  });

  test('of an engine that is gone are nobody’s, and whoever waits for them is told', async () => {
    await kept();
    engine.emit(died('web'));
    await pause(200);
    const asked = watch.containers();
    await Promise.all([expect(asked).rejects.toThrow(), engine.close()]);
    expect(seenNow()).toBeNull();
    engine = await fakeEngine();
  });
});

describe('aliases', () => {
  const member = (id: string, IPAddress: string): object =>
    listed(id, IPAddress, {
      NetworkSettings: {
        Networks: { shop: { NetworkID: 'n2', EndpointID: `e-${id}-${IPAddress}`, IPAddress } },
      },
    });
  const inspected = (id: string, IPAddress: string, Aliases: unknown): void => {
    says[`GET /containers/${id}/json`] = JSON.stringify({
      NetworkSettings: { Networks: { shop: { EndpointID: `e-${id}-${IPAddress}`, Aliases } } },
    });
  };
  const aliasesNow = (): Record<string, readonly string[] | null> => {
    const found = containersNow();
    return Object.fromEntries(
      (typeof found === 'string' ? [] : found).map(({ name, endpoints }) => [
        name,
        endpoints[0]?.aliases ?? null,
      ]),
    );
  };
  const inspections = (): readonly string[] =>
    engine.asked.flatMap((asked) => /containers\/(\w+)\/json$/.exec(asked)?.[1] ?? []);

  test('are asked for once for each start, of containers in a network of its user’s, when somebody needs them', async () => {
    await kept(listed('plain', '172.17.0.2'), member('web', '172.18.0.2'));
    expect(aliasesNow()).toEqual({ plain: null, web: null });
    inspected('web', '172.18.0.2', ['www', 'shop-web']);
    watch.keepContainers('aliases');
    await until('they are known', () => aliasesNow()['web'] !== null);
    expect(aliasesNow()).toEqual({ plain: [], web: ['www', 'shop-web'] });
    runs(member('web', '172.18.0.2'), member('db', '172.18.0.3'));
    inspected('db', '172.18.0.3', ['store']);
    engine.emit(started('db'));
    await until('another one’s are', () => aliasesNow()['db'] !== undefined);
    expect(aliasesNow()).toEqual({ web: ['www', 'shop-web'], db: ['store'] });
    expect(inspections()).toEqual(['web', 'db']);
    runs(member('web', '172.18.0.7'), member('db', '172.18.0.3'));
    inspected('web', '172.18.0.7', ['anew']);
    engine.emit(died('web') + started('web'));
    await until('those of its next start are', () => aliasesNow()['web']?.[0] === 'anew');
    expect(inspections()).toEqual(['web', 'db', 'web']);
  });

  test('that one container does not tell leave its addresses and the others known', async () => {
    runs(member('web', '172.18.0.2'), member('odd', '172.18.0.3'), member('gone', '172.18.0.4'));
    inspected('web', '172.18.0.2', ['www\u001b', 7]);
    inspected('odd', '172.18.0.3', 'all');
    watch.keepContainers('aliases');
    await until('they are known', () => typeof containersNow() !== 'string');
    expect(aliasesNow()).toEqual({ web: ['www'], odd: [], gone: null });
  });
});
