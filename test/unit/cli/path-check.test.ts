import { describe, expect, test } from '@jest/globals';
import { checkPath, type Hop, type Outside, targetOf } from '../../../cli/path-check.js';
import type { Status } from '../../../daemon/api/messages.js';
import { healthyStatus, scenes } from './scenes.js';

/** What `route -n get` says of an address that leaves by this gateway and interface. */
const leaves = (gateway: string, name: string): string =>
  `   route to: 172.18.0.2\ndestination: 172.18.0.0\n       mask: 255.255.0.0\n    gateway: ${gateway}\n  interface: ${name}\n      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING>\n`;

/** A Mac on which whoever is listed as `address` or `address:port` answers; all others say `otherwise`. */
const macOf = (
  answers: Readonly<Record<string, string>>,
  { otherwise = 'no answer', table = leaves('10.0.75.2', 'tap1') } = {},
): Outside => ({
  run: () => Promise.resolve({ stdout: table, stderr: '', exitCode: 0 }),
  connect: (address, port) => {
    const said = answers[port === null ? address : `${address}:${port}`] ?? otherwise;
    return Promise.resolve({ alive: said === 'connected' || said === 'ECONNREFUSED', said });
  },
});

const refuses = 'ECONNREFUSED';
const well = { '10.0.75.2': refuses, '172.17.0.2': refuses, '172.17.0.2:80': 'connected' };

async function hopsTo(said: string, outside: Outside, status: Status = healthyStatus): Promise<Hop[]> {
  const target = targetOf(status, said);
  if (!target) throw new Error(`${said} is nobody`);
  const hops: Hop[] = [];
  for await (const hop of checkPath(status, target, outside)) hops.push(hop);
  return hops;
}

test('a way that holds is told hop by hop, to the port', async () => {
  const hops = await hopsTo('web', macOf(well));
  expect(hops.map(({ hop, status }) => [hop, status])).toEqual([
    ['container', 'pass'],
    ['network', 'pass'],
    ['link', 'pass'],
    ['route', 'pass'],
    ['VM', 'pass'],
    ['firewall', 'pass'],
    ['ports', 'pass'],
  ]);
  expect(hops.at(-1)?.detail).toBe('80 is open');
});

test('an interface whose name the table of macOS 11 cuts is the one that route names whole', async () => {
  const { link } = healthyStatus;
  const status = { ...healthyStatus, link: link && { ...link, interface: 'bridge1' } };
  const hops = await hopsTo('web', macOf(well, { table: leaves('10.0.75.2', 'bridge100') }), status);
  expect(hops.find(({ hop }) => hop === 'route')?.status).toBe('pass');
});

describe('by IPv6', () => {
  const peer = 'fd3e:d10f:52ef:75::2';
  const address = 'fd00:dead::2';
  const by6 = (state: 'up' | 'present' = 'up'): Status => ({
    ...healthyStatus,
    link: healthyStatus.link && {
      ...healthyStatus.link,
      ipv6: { address: 'fd3e:d10f:52ef:75::1', peer, network: 'fd3e:d10f:52ef:75::/126', state },
    },
    conditions: [
      ...healthyStatus.conditions,
      {
        ...{ type: 'Ipv6', status: state === 'up' ? 'True' : 'False', reason: 'AddressUnusable', since: '' },
        message: 'somebody else has it too',
      },
    ],
    routes: [
      ...healthyStatus.routes,
      { subnet: 'fd00:dead::/64', network: 'app', state: 'routed', why: `via ${peer} on tap1` },
    ],
    containers: [
      {
        ...{ id: 'f'.repeat(64), name: 'six', project: null, service: null, ports: [80] },
        endpoints: [{ network: 'app', address }],
      },
    ],
  });
  const asked: string[] = [];
  const mac: Outside = {
    run: (file, args) => {
      asked.push([file, ...args].join(' '));
      return Promise.resolve({ stdout: leaves(peer, 'tap1'), stderr: '', exitCode: 0 });
    },
    connect: (to, port, from) => {
      const isRight = from === 'fd3e:d10f:52ef:75::1' && [peer, address].includes(to);
      return Promise.resolve({
        alive: isRight,
        said: isRight ? (port === null ? refuses : 'connected') : 'lost',
      });
    },
  };

  test('a way that holds is asked for and tried by its own ends', async () => {
    asked.length = 0;
    const hops = await hopsTo('six', mac, by6());
    expect(hops.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 'pass'));
    expect(hops.find(({ hop }) => hop === 'link')?.detail).toContain(peer);
    expect(asked).toEqual([`/sbin/route -n get -inet6 ${address}`]);
  });

  test('a link that is none by IPv6 ends it, in the words of that', async () => {
    const last = (await hopsTo('six', mac, by6('present'))).at(-1);
    expect(last).toMatchObject({
      hop: 'link',
      status: 'fail',
      detail: 'somebody else has it too',
      fix: ['tuntapctl doctor TT121'],
    });
  });
});

test.each<[string, Hop['hop'], RegExp, Outside, Status]>([
  [
    'nobody listens',
    'ports',
    /80: nobody listens/,
    macOf({ ...well, '172.17.0.2:80': refuses }),
    healthyStatus,
  ],
  [
    'the VM’s firewall lets nobody in',
    'firewall',
    /the VM answers, 172\.17\.0\.2 does not/,
    macOf({ '10.0.75.2': refuses }),
    healthyStatus,
  ],
  ['nothing in the VM answers', 'VM', /10\.0\.75\.2 does not answer \(no answer\)/, macOf({}), healthyStatus],
  [
    'macOS keeps this terminal out',
    'VM',
    /macOS keeps this program/,
    macOf({}, { otherwise: 'EHOSTUNREACH' }),
    healthyStatus,
  ],
  [
    'a VPN has the route',
    'route',
    /it leaves by utun3 to 10\.8\.0\.1/,
    macOf(well, { table: leaves('10.8.0.1', 'utun3') }),
    healthyStatus,
  ],
  [
    'no route is there at all',
    'route',
    /not in table/,
    macOf(well, { table: 'route: writing to routing socket: not in table' }),
    healthyStatus,
  ],
  [
    'the network is refused',
    'network',
    /bridge is not routed \(refused: larger than \/12\)/,
    macOf(well),
    {
      ...healthyStatus,
      routes: [{ subnet: '172.17.0.0/16', network: 'bridge', state: 'refused', why: 'larger than /12' }],
    },
  ],
  [
    'it was taken down by hand',
    'network',
    /bridge is not routed: the link was taken down by hand/,
    macOf(well),
    {
      ...healthyStatus,
      phase: 'down',
      routes: [{ subnet: '172.17.0.0/16', network: 'bridge', state: 'pending', why: 'not there yet' }],
    },
  ],
  [
    'the link is down',
    'link',
    /the link is not up/,
    macOf(well),
    { ...healthyStatus, link: { ...(healthyStatus.link as NonNullable<Status['link']>), state: 'present' } },
  ],
])('where it ends, and why: %s', async (_name, where, why, outside, status) => {
  const hops = await hopsTo('web', outside, status);
  const last = hops.at(-1);
  expect(last).toMatchObject({ hop: where, status: 'fail', detail: expect.stringMatching(why) as unknown });
  expect(last?.fix.length).toBeGreaterThan(0);
  expect(hops.slice(0, -1).every(({ status: is }) => is === 'pass')).toBe(true);
});

test('a container that shares the VM’s network has no address, and is told so', async () => {
  const status = {
    ...healthyStatus,
    containers: [{ id: 'a', name: 'proxy', project: null, service: null, endpoints: [], ports: [] }],
  };
  expect(await hopsTo('proxy', macOf(well), status)).toMatchObject([{ hop: 'container', status: 'fail' }]);
});

test.each([
  ['web;id', 'aabbccddeeff00112233', 'aabbccddeeff'],
  ['$(id)', 'aabbccddeeff00112233', 'aabbccddeeff'],
  ['--help', 'aabbccddeeff00112233', 'aabbccddeeff'],
  ['web; id', 'no hex', "'web; id'"],
  ['web-1', 'aabbccddeeff00112233', 'web-1'],
])('a command to paste runs nothing that the engine chose: %s', async (name, id, word) => {
  const endpoint = { network: 'bridge', address: '172.17.0.2' };
  const status = (endpoints: readonly (typeof endpoint)[]): Status => ({
    ...healthyStatus,
    containers: [{ id, name, project: null, service: null, endpoints, ports: [80] }],
  });
  const fixes = async (endpoints: readonly (typeof endpoint)[], answers: Record<string, string>) =>
    (await hopsTo(name, macOf(answers), status(endpoints))).flatMap(({ fix }) => fix);
  expect(await fixes([], well)).toEqual([`docker network connect bridge ${word}`]);
  expect(await fixes([endpoint], { '10.0.75.2': refuses })).toContain(
    `docker inspect --format '{{.State.Status}}' ${word}`,
  );
  expect(await fixes([endpoint], { ...well, '172.17.0.2:80': refuses })).toContain(`docker logs ${word}`);
});

describe('who is meant', () => {
  const status = {
    ...healthyStatus,
    containers: healthyStatus.containers?.map((each) => ({
      ...each,
      id: each.name === 'web' ? 'deadbeef01' : each.id,
    })),
  } as Status;
  test.each([
    ['web', '172.17.0.2'],
    ['dead', '172.17.0.2'],
    ['172.19.0.2', '172.19.0.2'],
    ['172.17.9.9', '172.17.9.9'],
    ['10.1.1.1', undefined],
    ['nobody', undefined],
    ['de', undefined],
    ['web.docker', '172.17.0.2'],
    ['WEB.docker.', '172.17.0.2'],
    ['blog.web.docker', '172.17.0.2'],
    ['1.db.shop.docker', '172.18.0.2'],
    ['shop_web_1.docker', '172.18.0.3'],
    ['absent.docker', undefined],
    ['shop.docker', undefined],
    ['docker', undefined],
    ['web.docker.example', undefined],
    ['a/b.web.docker', undefined],
    ['\u001b[2J.web.docker', undefined],
  ])('%s', (said, address) => {
    expect(targetOf(status, said)?.address).toBe(address);
  });

  test('of several addresses the one that is routed', () => {
    const conflict = scenes['a conflict with a VPN'] as Status;
    const db = conflict.containers?.find(({ name }) => name === 'shop-db-1');
    const turned = { ...conflict, containers: db ? [{ ...db, endpoints: db.endpoints.toReversed() }] : [] };
    expect(targetOf(turned, 'shop-db-1')?.address).toBe('172.18.0.2');
  });
});
