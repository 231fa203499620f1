import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Run } from '../../../daemon/lib/command.js';
import { createResolverObserver, parseResolvers } from '../../../daemon/mac/resolvers.js';
import { seen, unknown } from '../../../daemon/core/observation.js';
import { resolversAt, route } from '../core/worlds.js';

const captured = `DNS configuration

resolver #1
  search domain[0] : corp.example
  nameserver[0] : 10.20.0.53
  nameserver[1] : fd00:20::53
  if_index : 19 (utun4)
  flags    : Supplemental, Request A records, Request AAAA records
  reach    : 0x00000003 (Reachable,Transient Connection)
  order    : 103200

resolver #2
  domain   : local
  options  : mdns
  timeout  : 5
  flags    : Request A records
  reach    : 0x00000000 (Not Reachable)
  order    : 300000

resolver #3
  domain   : lab.example
  nameserver[0] : 172.20.9.9
  port     : 8600

DNS configuration (for scoped queries)

resolver #1
  nameserver[0] : 10.20.0.53
  if_index : 4 (en0)
  flags    : Scoped, Request A records
  reach    : Reachable,Directly Reachable Address
`;

test('every resolver’s servers, each once', () => {
  expect(parseResolvers(captured)).toEqual(resolversAt('10.20.0.53', 'fd00:20::53', '172.20.9.9'));
  expect(parseResolvers('DNS configuration\n  nameserver[0] : fe80::1%en0\n')).toEqual([]);
  expect(parseResolvers('No DNS configuration available\n')).toEqual([]);
  expect(parseResolvers('')).toBeNull();
  expect(parseResolvers('scutil: no such thing\n')).toBeNull();
});

test('they are asked for when networks change, twice a minute otherwise, and at once when they were not known', async () => {
  let server = '10.1.1.1';
  let fails = false;
  let time = 0;
  const command: Run = () =>
    fails
      ? Promise.resolve({ stdout: '', stderr: 'no store\n', exitCode: 1 })
      : Promise.resolve({
          stdout: `DNS configuration\n\nresolver #1\n  nameserver[0] : ${server}\n`,
          stderr: '',
          exitCode: 0,
        });
  const observe = createResolverObserver(command, () => time, '/dev/null/resolv.conf');
  const row = route({ destination: '0.0.0.0/0', gateway: '192.168.1.1', flags: 'UGSc', interface: 'en0' });
  const own = route({
    destination: '172.17.0.0/16',
    gateway: '10.0.75.2',
    flags: 'UGSc',
    interface: 'tap1',
  });
  expect(await observe(seen([row]), '10.0.75.2')).toEqual(seen(resolversAt('10.1.1.1')));
  server = '10.2.2.2';
  expect(await observe(seen([row, own]), '10.0.75.2')).toEqual(seen(resolversAt('10.1.1.1')));
  time = 31_000;
  expect(await observe(seen([row, own]), '10.0.75.2')).toEqual(seen(resolversAt('10.2.2.2')));
  server = '10.3.3.3';
  expect(await observe(seen([{ ...row, interface: 'utun4' }]), '10.0.75.2')).toEqual(
    seen(resolversAt('10.3.3.3')),
  );
  fails = true;
  expect(await observe(seen([row]), '10.0.75.2')).toEqual(
    unknown(expect.stringMatching(/^scutil --dns: no store; .*resolv\.conf/) as unknown as string),
  );
  fails = false;
  expect(await observe(seen([row]), '10.0.75.2')).toEqual(seen(resolversAt('10.3.3.3')));
});

test('a scutil that hangs tells nothing: a VPN’s own resolvers are in no other place', async () => {
  const hangs: Run = () => Promise.reject(new Error('scutil --dns: took longer than 10 s'));
  const folder = mkdtempSync(join(tmpdir(), 'resolvers-'));
  try {
    const mirror = join(folder, 'resolv.conf');
    writeFileSync(mirror, 'nameserver 10.20.0.53\n');
    expect(await createResolverObserver(hangs, () => 0, mirror)(seen([]), '')).toEqual(
      unknown('scutil --dns: took longer than 10 s'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('when scutil has no such answer, the mirror of the main resolver counts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'resolvers-'));
  try {
    const mirror = join(folder, 'resolv.conf');
    const observeFails: Run = () => Promise.resolve({ stdout: 'usage: scutil\n', stderr: '', exitCode: 64 });
    expect(await createResolverObserver(observeFails, () => 0, mirror)(seen([]), '')).toEqual(seen([]));
    writeFileSync(mirror, '# mirrored\nsearch corp.example\nnameserver 10.20.0.53\nnameserver fd00::53\n');
    expect(await createResolverObserver(observeFails, () => 0, mirror)(seen([]), '')).toEqual(
      seen(resolversAt('10.20.0.53', 'fd00::53')),
    );
    mkdirSync(join(folder, 'odd'));
    expect(
      await createResolverObserver(observeFails, () => 0, join(folder, 'odd'))(seen([]), ''),
    ).toMatchObject({
      known: false,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
