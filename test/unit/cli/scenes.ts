/** Statuses as a daemon tells them, one for each state that a person meets. */
import type { Condition, Status } from '../../../daemon/api/messages.js';

/** A moment of one day, in ms; local, so that what is shown is the same in every time zone. */
export const at = (time: string): number => new Date(`2026-11-27T${time}`).getTime();

const iso = (time: string): string => new Date(at(time)).toISOString();

type Row = readonly [type: string, status: Condition['status'], reason: string, message: string];

const conditionsOf = (rows: readonly Row[], since = '11:02:30'): Condition[] =>
  rows.map(([type, status, reason, message]) => ({ type, status, reason, message, since: iso(since) }));

const fine = {
  Configuration: ['Configuration', 'True', 'Valid', 'in force'],
  ConsoleUser: ['ConsoleUser', 'True', 'LoggedIn', 'ada (uid 501)'],
  TapDevice: ['TapDevice', 'True', 'Owned', '/dev/tap1 belongs to ada'],
  Shim: ['Shim', 'True', 'Installed', 'in /Applications/Docker.app'],
  VirtualMachine: ['VirtualMachine', 'True', 'Running', 'hyperkit, pid 812'],
  TapAttached: ['TapAttached', 'True', 'Attached', 'the VM holds /dev/tap1 (pid 812)'],
  TapAddress: ['TapAddress', 'True', 'Set', '10.0.75.1/30, MTU 1500'],
  Engine: ['Engine', 'True', 'Answering', 'Docker Engine 28.5.2, 5 networks'],
  Guest: [
    'Guest',
    'True',
    'Prepared',
    'eth1 has 10.0.75.2; accept rule in raw PREROUTING and filter DOCKER-USER',
  ],
  Routes: ['Routes', 'True', 'Set', '172.17.0.0/16, 172.18.0.0/16, 172.19.0.0/16'],
  DataPath: ['DataPath', 'True', 'Answering', '172.17.0.2, 172.18.0.3 answered'],
  Names: ['Names', 'True', 'Answering', '7 names below docker'],
  Ready: ['Ready', 'True', 'Ready', 'containers answer on their own addresses'],
} as const satisfies Record<string, Row>;

const but = (...rows: readonly Row[]): Row[] =>
  Object.values<Row>(fine).map((row) => rows.findLast(([type]) => type === row[0]) ?? row);

/** As they are made of the containers below. */
const names: Status['names'] = {
  zone: 'docker',
  names: [
    { name: '1.db.shop', addresses: ['172.18.0.2', '172.19.0.2'], of: 'container 1 of service db of shop' },
    { name: '1.web.shop', addresses: ['172.18.0.3'], of: 'container 1 of service web of shop' },
    { name: 'db.shop', addresses: ['172.18.0.2', '172.19.0.2'], of: 'service db of shop' },
    { name: 'shop-db-1', addresses: ['172.18.0.2', '172.19.0.2'], of: 'container shop-db-1' },
    { name: 'shop-web-1', addresses: ['172.18.0.3'], of: 'container shop-web-1' },
    { name: 'web', addresses: ['172.17.0.2'], of: 'container web' },
    { name: 'web.shop', addresses: ['172.18.0.3'], of: 'service web of shop' },
  ],
  more: 0,
  problems: [],
};

const way = 'via 10.0.75.2 on tap1';

const container = (name: string, network: string, address: string, project: string | null = null) => ({
  id: name,
  name,
  project,
  service: null,
  endpoints: [{ network, address }],
  ports: [80],
});

export const healthyStatus: Status = {
  format: 1,
  version: '1.2.3',
  pid: 4711,
  since: iso('09:41:07'),
  phase: 'ready',
  conditions: conditionsOf(Object.values(fine)),
  routes: [
    { subnet: '172.18.0.0/16', network: 'shop_default', state: 'routed', why: way },
    { subnet: '172.17.0.0/16', network: 'bridge', state: 'routed', why: way },
    { subnet: '172.19.0.0/16', network: 'shop_backend', state: 'routed', why: way },
    { subnet: '-', network: 'host', state: 'refused', why: 'its containers use the VM’s own addresses' },
    { subnet: '-', network: 'none', state: 'refused', why: 'its containers have no network' },
  ],
  names,
  vm: { id: '812@x', pid: 812, startedAt: iso('11:02:01'), startedWithTap: true },
  engine: { version: '28.5.2', networks: 5 },
  bundles: [
    {
      app: '/Applications/Docker.app',
      hyperkit: '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit',
      version: '4.41.0',
      target: 'shim',
      original: 'mach-o',
    },
  ],
  link: {
    maker: 'tap',
    told: 'HyperKit’s tap',
    interface: 'tap1',
    address: '10.0.75.1',
    peer: '10.0.75.2',
    network: '10.0.75.0/30',
    mtu: 1500,
    state: 'up',
    roundTrip: 0.42,
  },
  containers: [
    container('web', 'bridge', '172.17.0.2'),
    container('shop-web-1', 'shop_default', '172.18.0.3', 'shop'),
    {
      id: 'db',
      name: 'shop-db-1',
      project: 'shop',
      service: 'db',
      endpoints: [
        { network: 'shop_default', address: '172.18.0.2' },
        { network: 'shop_backend', address: '172.19.0.2' },
      ],
      ports: [5432],
    },
  ],
};

const without = (status: Status, ...keys: readonly (keyof Status)[]): Status =>
  Object.fromEntries(Object.entries(status).filter(([key]) => !keys.includes(key as keyof Status))) as Status;

const noVm: readonly Row[] = [
  ['VirtualMachine', 'False', 'NotRunning', 'Docker’s VM does not run'],
  ['TapAttached', 'False', 'NoVm', 'no VM'],
  ['TapAddress', 'False', 'NoLink', 'no link'],
  ['Engine', 'False', 'NoVm', 'no VM'],
  ['Guest', 'False', 'NoEngine', 'Docker Engine does not answer (yet)'],
  ['Routes', 'False', 'NoEngine', 'Docker’s networks are not known (yet)'],
  ['DataPath', 'False', 'NoLink', 'nothing to check before the rest is there'],
  ['Names', 'True', 'Answering', '0 names below docker'],
];

const conflict = 'it overlaps 172.19.0.0/16 of utun3 (WireGuard). Give the Docker network another subnet';

export const scenes: Readonly<Record<string, Status>> = {
  healthy: healthyStatus,
  idle: {
    ...without(healthyStatus, 'containers', 'names'),
    phase: 'idle',
    conditions: conditionsOf(but(...noVm, ['Ready', 'False', 'Idle', 'Docker’s VM does not run'])),
    routes: [],
    vm: null,
    engine: null,
    link: null,
  },
  'taken down by hand': {
    ...without(healthyStatus, 'containers', 'names'),
    phase: 'down',
    conditions: conditionsOf(
      but(
        ['Names', 'False', 'Down', 'no names while the link is to be down'],
        ['Ready', 'False', 'Down', 'taken down; `tuntapctl up` brings it back'],
      ),
    ),
    link: { ...(healthyStatus.link as NonNullable<Status['link']>), state: 'present' },
    routes: healthyStatus.routes.map((route) =>
      route.state === 'routed' ? { ...route, state: 'pending', why: 'not in the routing table yet' } : route,
    ),
  },
  'a conflict with a VPN': {
    ...healthyStatus,
    phase: 'degraded',
    conditions: conditionsOf(
      but(
        ['Routes', 'False', 'Conflict', `172.19.0.0/16 (shop_backend): ${conflict}`],
        ['Ready', 'False', 'Conflict', `172.19.0.0/16 (shop_backend): ${conflict}`],
      ),
      '13:17:10',
    ),
    routes: healthyStatus.routes.map((route) =>
      route.network === 'shop_backend' ? { ...route, state: 'foreign', why: conflict } : route,
    ),
  },
  'names that macOS does not ask for': {
    ...healthyStatus,
    conditions: conditionsOf(
      but([
        'Names',
        'False',
        'FileForeign',
        '/etc/resolver/docker is not made by tuntapd, and stays as it is',
      ]),
    ),
  },
  'blocked by App Management': {
    ...without(healthyStatus, 'containers', 'names'),
    phase: 'blocked',
    conditions: conditionsOf(
      but(
        [
          'Shim',
          'False',
          'AppManagement',
          'macOS lets nothing change /Applications/Docker.app: allow it in System Settings',
        ],
        ...noVm,
        [
          'Ready',
          'False',
          'AppManagement',
          'macOS lets nothing change /Applications/Docker.app: allow it in System Settings',
        ],
      ),
      '13:19:20',
    ),
    routes: [],
    vm: null,
    engine: null,
    link: null,
    bundles: healthyStatus.bundles?.map((bundle) => ({ ...bundle, target: 'mach-o', original: 'missing' })),
  },
  'an engine that has just started': {
    ...without(healthyStatus, 'containers', 'names', 'engine'),
    phase: 'working',
    conditions: conditionsOf(
      but(
        ['Engine', 'Unknown', 'NotSeen', 'Docker Engine has not answered yet'],
        ['Guest', 'False', 'NoEngine', 'Docker Engine does not answer (yet)'],
        ['Routes', 'False', 'NoEngine', 'Docker’s networks are not known (yet)'],
        ['DataPath', 'False', 'NoLink', 'nothing to check before the rest is there'],
        ['Names', 'Unknown', 'NotSeen', 'which containers run is not known now'],
        ['Ready', 'False', 'NotSeen', 'Docker Engine has not answered yet'],
      ),
      '13:19:58',
    ),
    routes: [],
  },
  'Docker Desktop on Apple silicon': {
    ...without(healthyStatus, 'containers'),
    conditions: conditionsOf(
      but(
        ['TapDevice', 'True', 'NotNeeded', 'this link is by a network that macOS shares with the VM'],
        ['Shim', 'True', 'NotNeeded', 'this link is by a network that macOS shares with the VM'],
      ),
    ),
    routes: [
      { subnet: '172.17.0.0/16', network: 'bridge', state: 'routed', why: 'via 192.168.64.2 on bridge100' },
    ],
    vm: {
      id: '812@x',
      pid: 812,
      startedAt: iso('11:02:01'),
      startedWithTap: false,
      kind: 'virtualization',
    },
    bundles: [],
    withoutHyperkit: ['/Applications/Docker.app'],
    link: {
      ...(healthyStatus.link as NonNullable<Status['link']>),
      maker: 'vmnet',
      told: 'Docker’s kernel networking',
      interface: 'bridge100',
      address: '192.168.64.1',
      peer: '192.168.64.2',
      network: '192.168.64.0/24',
    },
  },
  'colima, which docker’s context does not lead to': {
    ...without(healthyStatus, 'containers', 'names'),
    phase: 'idle',
    conditions: conditionsOf(
      but(
        ...noVm,
        [
          'VirtualMachine',
          'False',
          'NotChosen',
          'colima’s VM runs (pid 700), but docker’s current context is “default” (unix:///var/run/docker.sock): ' +
            'choose the VM’s with `docker context use …`',
        ],
        ['Ready', 'False', 'Idle', 'Docker’s VM does not run'],
      ),
    ),
    routes: [],
    vm: null,
    engine: null,
    link: null,
    bundles: [],
    withoutHyperkit: [],
  },
};
