/** Another way to a VM: a plain interface that the Mac and the VM share. It is one file beside the product's. */
import { expect, test } from '@jest/globals';
import { no, yes } from '../../../daemon/core/condition.js';
import { judgeConditions } from '../../../daemon/core/conditions.js';
import { judge } from '../../../daemon/core/judgement.js';
import type { Link } from '../../../daemon/core/link/link.js';
import type { LinkMaker } from '../../../daemon/core/link/maker.js';
import { seen, valueOf } from '../../../daemon/core/observation.js';
import { plan } from '../../../daemon/core/plan.js';
import { isRowOf } from '../../../daemon/core/routes/table.js';
import { toldRoutes } from '../../../daemon/core/routes/routes.js';
import { datedConditions, statusOf } from '../../../daemon/core/status.js';
import type { Step } from '../../../daemon/core/steps.js';
import {
  answeringNames,
  applied,
  config,
  lan,
  net,
  network,
  route,
  startedMac,
  up,
  type World,
} from './worlds.js';

const link: Link = {
  maker: 'shared',
  interface: 'bridge100',
  macAddress: '192.168.64.1',
  vmAddress: '192.168.64.2',
  network: net('192.168.64.0/24'),
  mtu: 1500,
  nic: '02:00:00:00:00:02',
};
const nothing = { before: [], link: [], after: [] };
const shared: LinkMaker = {
  state: (_config, { vm: found, routes }) => {
    const vm = valueOf(found);
    const isThere = valueOf(routes)?.some((row) => isRowOf(link.network.text, row)) ?? false;
    return vm && isThere
      ? { kind: 'up', link, vm, isAddressed: true, hasNic: true }
      : { kind: 'absent', link: null, vm: null, isAddressed: false, hasNic: false, missed: null };
  },
  steps: () => nothing,
  undo: () => nothing,
  judges: {
    TapDevice: () => yes('Present', 'no device is needed'),
    Shim: () => yes('NotManaged', 'no shim is needed'),
    TapAttached: ({ link: state }) => (state.vm ? yes('Attached', 'it is there') : no('NoVm', 'no VM')),
    TapAddress: ({ link: state }) => (state.vm ? yes('Set', 'it has an address') : no('NoLink', 'no link')),
  },
};

const ownRow = route({
  destination: '192.168.64.0/24',
  gateway: 'link#20',
  flags: 'UC',
  interface: 'bridge100',
});
const judged = ({ observation, memory }: World) =>
  judge(config, { observation, link: shared.state(config, observation, memory) }, memory);

/** What a step does to this world: a route is bound to the shared interface. */
function carriedOut(world: World, step: Step): World {
  if (step.kind !== 'add-route') return applied(world, step);
  const { subnet, gateway, interface: name } = step;
  const row = route({ destination: subnet, gateway, flags: 'UGSc', interface: name });
  const { observation, memory } = world;
  const ownedRoutes = [...memory.ownedRoutes, { subnet, gateway, interface: name }];
  const routes = seen([...(valueOf(observation.routes) ?? []), row]);
  return { observation: { ...observation, routes }, memory: { ...memory, ownedRoutes } };
}

function settled(start: World): World {
  let world = start;
  for (let round = 0; round < 4; round += 1)
    for (const step of plan(shared, judged(world))) world = carriedOut(world, step);
  expect(plan(shared, judged(world))).toEqual([]);
  return world;
}

test('routes, conditions, status and removal work over it', () => {
  const started = startedMac([network('bridge', '172.17.0.0/16')], [...lan, ownRow]);
  const observation = { ...started, names: answeringNames };
  const world = settled({ observation, memory: up });
  expect(valueOf(world.observation.routes)?.at(-1)).toMatchObject({
    gateway: '192.168.64.2',
    interface: 'bridge100',
  });
  const { phase, findings } = judgeConditions(shared, judged(world), []);
  expect(findings.filter(({ status }) => status !== 'True').map(({ type }) => type)).toEqual([
    'DataPath',
    'Ready',
  ]);
  const conditions = datedConditions(findings, [], 'now');
  const routes = toldRoutes(judged(world));
  const status = statusOf({
    pid: 1,
    since: 'now',
    phase,
    conditions,
    routes,
    names: { state: 'off' },
    observation: world.observation,
    link: judged(world).link,
  });
  expect(status.link).toMatchObject({ interface: 'bridge100', peer: '192.168.64.2', state: 'up' });
  expect(status.routes).toMatchObject([
    { subnet: '172.17.0.0/16', state: 'routed', why: 'via 192.168.64.2 on bridge100' },
  ]);
  const removed = settled({ ...world, memory: { ...world.memory, wanted: 'removed' } });
  expect(removed).toMatchObject({ observation: { routes: seen([...lan, ownRow]) }, memory: { guest: null } });
});
