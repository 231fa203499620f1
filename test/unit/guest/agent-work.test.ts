import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimOn, waysOut } from '../../../daemon/guest/agent-work.js';
import { foldersOf, pickDockerd } from '../../../daemon/guest/dockerd.js';
import { accept, changeOf, close, rulesIn } from '../../../daemon/guest/firewall.js';

const own = [
  accept('eth1'),
  accept('eth1', '192.168.64.1'),
  accept('eth1', '192.168.66.1'),
  close('eth1', 'eth0'),
  close('eth1', 'eth2'),
  accept('eth9'),
];
const theirs = [
  '-j RETURN',
  '-s 10.9.9.9/32 -j DROP',
  '-m comment --comment tuntapd2 -j DROP',
  '-m comment --comment "not tuntapd" -j ACCEPT',
];

/** What iptables makes of a change. */
function apply(rules: readonly string[], wanted: readonly (readonly string[])[]): readonly string[] {
  const chain = [...rules];
  const { insert, remove } = changeOf(rules, wanted);
  for (const [at, rule] of insert.entries()) chain.splice(at, 0, rule.join(' '));
  for (const number of remove) {
    expect(chain[number - 1]).toBeDefined();
    chain.splice(number - 1, 1);
  }
  return chain;
}

test('whatever a chain holds, it begins with our rules, once, and keeps those of others in their order', () => {
  const rule = fc.oneof(fc.constantFrom(...own.map((words) => words.join(' '))), fc.constantFrom(...theirs));
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 12 }), fc.subarray(own), (rules, wanted) => {
      const after = apply(rules, wanted);
      expect(after).toEqual([
        ...wanted.map((words) => words.join(' ')),
        ...rules.filter((one) => theirs.includes(one)),
      ]);
      expect(changeOf(after, wanted)).toEqual({ insert: [], remove: [] });
    }),
    { numRuns: 1000 },
  );
});

test('a listing gives the rules of its chain, quoted comments or not', () => {
  const listing = [
    '-N DOCKER-USER',
    '-A DOCKER-USER -i eth1 -m comment --comment "tuntapd" -j ACCEPT',
    '-A DOCKER-USER-2 -j DROP',
    '-A DOCKER-USER -j RETURN ',
    '',
  ].join('\n');
  expect(rulesIn(listing, 'DOCKER-USER')).toEqual([accept('eth1').join(' '), '-j RETURN']);
});

test.each([
  ['from anybody', undefined, '-i eth1 -m comment --comment tuntapd -j ACCEPT'],
  ['from one address', '192.168.64.1', '-s 192.168.64.1/32 -i eth1 -m comment --comment tuntapd -j ACCEPT'],
])('what is let in by a NIC, as `iptables -S` prints it: %s', (_what, source, printed) => {
  expect(accept('eth1', source).join(' ')).toBe(printed);
});

const dockerd = { pid: 10, name: 'dockerd', uid: 0, namespaces: 'vm', startedAt: 5 };
test.each([
  ['the only one', [dockerd], 10],
  ['the first one', [{ ...dockerd, pid: 9, startedAt: 6 }, dockerd], 10],
  ['the lower number of two at once', [{ ...dockerd, pid: 12 }, dockerd], 10],
  ['none of another user', [{ ...dockerd, uid: 501 }], undefined],
  ['none in other namespaces', [{ ...dockerd, namespaces: 'kind' }], undefined],
  ['none of another name', [{ ...dockerd, name: 'dockerd2' }], undefined],
  ['none of none', [], undefined],
  ['root’s, though another user’s is older', [{ ...dockerd, pid: 2, uid: 1, startedAt: 1 }, dockerd], 10],
])('the VM’s dockerd is %s', (_what, processes, pid) => {
  expect(pickDockerd(processes, 'vm')?.pid).toBe(pid);
});

test('the folders of PATH come first, and only whole ones count', () => {
  expect(foldersOf('A=b\0PATH=/opt/bin:.:relative:/usr/bin\0').slice(0, 3)).toEqual([
    '/opt/bin',
    '/usr/bin',
    '/usr/local/sbin',
  ]);
  expect(foldersOf('')).toContain('/usr/sbin');
  expect(new Set(foldersOf('PATH=/sbin:/sbin')).size).toBe(foldersOf('PATH=/sbin:/sbin').length);
});

const row = { isMain: true, address: '10.0.75.0', prefix: 24, index: 2 };
test.each([
  ['a network around it', row, true],
  ['a host within it', { ...row, address: '10.0.75.1', prefix: 32 }, true],
  ['its own network by our NIC', { ...row, index: 3 }, false],
  ['a default route', { ...row, address: null, prefix: 0 }, false],
  ['a default route that has an address', { ...row, address: '0.0.0.0', prefix: 0 }, false],
  ['half of everything', { ...row, address: '0.0.0.0', prefix: 1 }, true],
  ['another table’s row', { ...row, isMain: false }, false],
  ['a network beside it', { ...row, address: '10.0.76.0' }, false],
  ['a network of the other family', { ...row, address: 'fd00::', prefix: 64 }, false],
])('what of the link’s network the VM has: %s', (_what, one, claims) => {
  expect(claimOn({ vmAddress: '10.0.75.2', prefix: 30 }, [one], 3)).toBe(claims ? one : null);
});

const nic = { mac: '', mtu: 1500, up: true };
test('ways out are cards and what has a default route, but never our NIC', () => {
  const links = [
    { ...nic, index: 1, name: 'lo', isCard: false },
    { ...nic, index: 2, name: 'eth0', isCard: true },
    { ...nic, index: 3, name: 'eth1', isCard: true },
    { ...nic, index: 4, name: 'docker0', isCard: false },
    { ...nic, index: 5, name: 'wg0', isCard: false },
  ];
  const rows = [
    { ...row, address: null, prefix: 0, index: 5, isMain: false },
    { ...row, address: null, prefix: 0, index: 3 },
    { ...row, index: 4 },
  ];
  expect(waysOut(links, rows, 3)).toEqual(['eth0', 'wg0']);
});
