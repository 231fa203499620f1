/** What `tuntapctl routes` prints. */
import { expect, test } from '@jest/globals';
import type { Status } from '../../../daemon/api/messages.js';
import { condition, madeUpStatus } from './made-up.js';
import { session } from './session.js';

const unasked = (type: string, message: string): Partial<Status> => ({
  conditions: [condition(type, 'Unknown', message)],
});

const mac = session();
const { cli, daemon } = mac;

test('routes', async () => {
  await daemon();
  expect(await cli('routes', '--json')).toBe(0);
  expect(JSON.parse(mac.out)).toEqual(madeUpStatus().routes);
});

test('routes tells subnets, and of networks without one their names; --all all of it', async () => {
  const routes = [
    ...madeUpStatus().routes,
    { subnet: '-', network: 'host', state: 'refused', why: 'the VM’s own' } as const,
  ];
  await daemon(madeUpStatus({ routes }));
  expect(await cli('routes')).toBe(0);
  expect(mac.out).toMatch(/^ok +172\.31\.0\.0\/16 {2}bridge {2}routed/);
  expect(mac.out).toMatch(/^- +10\.0\.0\.0\/8 .*larger than \/12$/m);
  expect(mac.out).toContain('Without a subnet: host');
  expect(mac.out).not.toContain('the VM’s own');
  mac.out = '';
  await cli('routes', '--all');
  expect(mac.out).toMatch(/host +refused +the VM’s own/);
});

test.each<[string, Partial<Status>, string]>([
  ['without a VM', { vm: null }, 'Docker’s VM does not run'],
  ['while nobody can tell whether there is one', unasked('VirtualMachine', 'ps took 10 s'), 'ps took 10 s'],
  [
    'of an engine that is silent',
    unasked('Engine', 'no answer from docker.sock'),
    'no answer from docker.sock',
  ],
  ['of a routing table that cannot be read', unasked('Routes', 'netstat: exit 1'), 'netstat: exit 1'],
  ['of a VM that has none', {}, 'the VM has none'],
])('routes %s says why it shows none', async (_name, change, why) => {
  await daemon(madeUpStatus({ routes: [], ...change }));
  expect(await cli('routes')).toBe(0);
  expect(mac.out).toBe(`No Docker network is known (${why}).\n`);
});
