/** IPv6 of the lab's Mac: what ifconfig, route and netstat say of it, and the kernel's rules behind them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { until } from '../lib/until.js';
import { bootMac, type RunResult } from './lab.js';
import { type Held, hold } from './mac/rpc.js';
import { linkLocalOf, number6, text6 } from './mac/xnu/inet6.js';
import { silent, typedOnOneMac } from './typed.js';

jest.setTimeout(60_000);

let vm: Held<unknown> | null = null;

const { mac, sh, said, socket } = typedOnOneMac({ macos: '14.6.1' });

async function openTap(): Promise<void> {
  vm = await hold('xnu.tap.open', { unit: 1, pid: 4711, uid: 501 }, socket());
}

async function closeTap(): Promise<void> {
  vm?.close();
  vm = null;
  await until('tap1 is gone', 5, async () => (await sh('/sbin/ifconfig tap1')).exitCode !== 0);
}

/** The table's rows with one blank between cells, and the numbers of links left out. */
const rows = async (): Promise<string[]> =>
  (await said('/usr/sbin/netstat -rn -f inet6'))
    .split('\n')
    .slice(4)
    .filter((line) => line !== '')
    .map((line) =>
      line
        .trim()
        .replaceAll(/\s+/g, ' ')
        .replace(/link#\d+/, 'link#'),
    );

const rowsTo = async (start: string): Promise<string[]> =>
  (await rows()).filter((row) => row.startsWith(start));

/** The inet6 lines of an interface, without what each begins with. */
const addresses = async (name: string): Promise<string[]> =>
  (await said(`/sbin/ifconfig ${name}`))
    .split('\n')
    .filter((line) => line.startsWith('\tinet6 '))
    .map((line) => line.slice('\tinet6 '.length));

/** By one shell: what lasts a second may be over before another command has begun. */
const inOneShell = async (script: string): Promise<string> =>
  (await mac().run(['/bin/sh', '-c', script])).stdout;

const pair = 'fd3e:d10f:52ef:75::';
const set = `/sbin/ifconfig tap1 inet6 ${pair}1 prefixlen 126`;
const net = 'fd00:dead::/64';
const add = `/sbin/route -n add -inet6 ${net} ${pair}2`;

test.each([
  ['::', '::'],
  ['::1', '::1'],
  ['FD00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
  ['fd00:0:0:1:2:0:0:1', 'fd00::1:2:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['fe80::', 'fe80::'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
])('inet_ntop: %s is %s', (given, printed) => {
  expect(text6(number6(given) ?? -1n)).toBe(printed);
});

test.each(['', ':', '1', 'fd00::1%tap1', 'fd00::/64', '10.0.0.1', 'fd00:::1'])('%j is no address', (text) => {
  expect(number6(text)).toBeNull();
});

describe('ifconfig inet6', () => {
  beforeEach(openTap);
  afterEach(closeTap);

  test('the first address brings the link-local one; before up both are in use at once', async () => {
    expect(await sh(set)).toEqual(silent);
    const whole = await said('/sbin/ifconfig tap1');
    const [, ether = ''] = /ether (\S+)/.exec(whole) ?? [];
    expect(whole).toMatch(
      new RegExp(
        `^tap1: flags=8842<[A-Z,]+> mtu 1500\n\tether ${ether}\n` +
          `\tinet6 ${linkLocalOf(ether)}%tap1 prefixlen 64 scopeid 0x[0-9a-f]+ \n` +
          `\tinet6 ${pair}1 prefixlen 126 \n` +
          '\tnd6 options=201<PERFORMNUD,DAD>\n\tmedia: autoselect\n\tstatus: active\n\topen \\(pid 4711\\)\n$',
      ),
    );
    expect(await sh('/sbin/ifconfig tap1 10.0.75.1/30 up')).toEqual(silent);
    expect((await addresses('tap1')).join('\n')).not.toContain('tentative');
  });

  test('on an interface that is up it is tentative for a second or two, and again whenever it is set', async () => {
    await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
    for (let time = 0; time < 2; time += 1) {
      const begun = Date.now();
      expect(await inOneShell(`${set} && /sbin/ifconfig tap1`)).toContain(
        `${pair}1 prefixlen 126 tentative `,
      );
      await until('it is in use', 10, async () =>
        (await addresses('tap1')).includes(`${pair}1 prefixlen 126 `),
      );
      expect(Date.now() - begun).toBeGreaterThan(990);
    }
    expect(await addresses('tap1')).toHaveLength(2);
  });

  test('an address goes by its name alone; its network’s row goes later, routes by it stay', async () => {
    await sh('/sbin/ifconfig tap1 inet6 fd00:75::1/126 up');
    await sh('/sbin/ifconfig tap1 inet6 fd00:76::1 prefixlen 64');
    expect((await addresses('tap1')).map((line) => line.split(' ')[0])).toEqual([
      expect.stringMatching(/^fe80::/),
      'fd00:75::1',
      'fd00:76::1',
    ]);
    await sh('/sbin/route -n add -inet6 fd00:dead::/64 fd00:75::2');
    expect(await sh('/sbin/ifconfig tap1 inet6 fd00:75::1/126 delete')).toEqual(silent);
    expect((await addresses('tap1')).join('\n')).not.toContain('fd00:75::1');
    expect(await rowsTo('fd00:75::')).toEqual(['fd00:75::/126 link# UC tap1']);
    await until('its network has gone too', 5, async () => (await rowsTo('fd00:75::')).length === 0);
    expect(await rowsTo('fd00:dead::')).toEqual(['fd00:dead::/64 fd00:75::2 UGSc tap1']);
  });

  test('down keeps addresses and routes, up brings packets back; with the tap all of it goes', async () => {
    await sh(set);
    await sh(add);
    for (const word of ['up', 'down', 'up']) await sh(`/sbin/ifconfig tap1 ${word}`);
    expect((await addresses('tap1'))[1]).toBe(`${pair}1 prefixlen 126 `);
    expect(await rowsTo('fd00:dead::')).toEqual([`${net} ${pair}2 UGSc tap1`]);
    expect(await said('/.lab/bin/ip -6 route get fd00:dead::5')).toMatch(
      new RegExp(`via ${pair}2 dev tap1 .*src ${pair}1 `),
    );
    await closeTap();
    expect((await rows()).join('\n')).not.toMatch(/tap1|fd/);
    await openTap();
    expect(await addresses('tap1')).toEqual([]);
  });

  test('a length of 0 or 128 is one of 128, none is one of 64; another one of an address that is there adds a row', async () => {
    for (const words of ['fd00:1::1/0', 'fd00:2::1/128', 'fd00:3::1', 'fd00:4::1/126', 'fd00:4::1/64'])
      expect(await sh(`/sbin/ifconfig tap1 inet6 ${words} alias`)).toEqual(silent);
    expect((await addresses('tap1')).slice(1)).toEqual([
      'fd00:1::1 prefixlen 128 ',
      'fd00:2::1 prefixlen 128 ',
      'fd00:3::1 prefixlen 64 ',
      'fd00:4::1 prefixlen 126 ',
    ]);
    expect(await rowsTo('fd00:4::/')).toEqual(['fd00:4::/64 link# UC tap1', 'fd00:4::/126 link# UC tap1']);
  });

  const exit = (stderr: string): RunResult => ({ ...silent, stderr: `ifconfig: ${stderr}\n`, exitCode: 1 });
  test.each([
    ['up inet6 fd00::1/64', 'inet6: bad value'],
    ['inet6 fd00::1/129', '129: bad value'],
    ['inet6 fd00::1 prefixlen 200', '200: bad value'],
    ['inet6 fd00::1 prefixlen', "'prefixlen' requires argument"],
    ['inet6 -alias fd00::1/64', 'fd00::1/64: bad value'],
    ['inet6 fd00::g', 'fd00::g: bad value'],
    ['inet6 fe80::5%tap9', 'fe80::5%tap9: bad value'],
    ['inet6 ::', 'ioctl (SIOCAIFADDR): Invalid argument'],
    ['inet6 ff02::5', 'ioctl (SIOCAIFADDR): Invalid argument'],
    ['inet6 ::ffff:10.0.0.1', 'ioctl (SIOCAIFADDR): Invalid argument'],
    ['inet6 fd00::1 fd00::2', 'ioctl (SIOCAIFADDR): Invalid argument'],
    ['inet6 fd00::1 delete', "ioctl (SIOCDIFADDR): Can't assign requested address"],
    ['inet6 delete', "ioctl (SIOCDIFADDR): Can't assign requested address"],
  ])('%s: %s', async (words, why) => {
    expect(await sh(`/sbin/ifconfig tap1 ${words}`)).toEqual(exit(why));
    expect(await addresses('tap1')).toEqual([]);
  });

  test('only root changes anything', async () => {
    expect(await mac().asUser(set.split(' '))).toEqual(exit('ioctl (SIOCDIFADDR): permission denied'));
    expect(await mac().asUser([...set.split(' '), 'alias'])).toEqual(
      exit('ioctl (SIOCAIFADDR): permission denied'),
    );
  });

  test('a second link-local address stands beside the first; without detection there is no waiting', async () => {
    await sh('/sbin/ifconfig tap1 inet6 -dad up');
    await sh(set);
    await sh('/sbin/ifconfig tap1 inet6 fe80::2%tap1 prefixlen 64');
    expect(await addresses('tap1')).toEqual([
      expect.stringMatching(/^fe80::\S+%tap1 prefixlen 64 scopeid 0x\S+ $/),
      `${pair}1 prefixlen 126 `,
      expect.stringMatching(/^fe80::2%tap1 prefixlen 64 scopeid 0x\S+ $/),
    ]);
    expect(await said('/sbin/ifconfig tap1')).toContain('\tnd6 options=1<PERFORMNUD>\n');
  });
});

test('an address that another has is found out: it stays, and is of no use', async () => {
  const { value, close } = await hold<{ bridge: string }>('vmnet.attach', { uid: 501 }, socket());
  const { bridge } = value;
  const guest = promisify(execFile)('nsenter', [
    ...['--target', String(mac().pid), '--net', '--', 'bash', '-euc'],
    `unshare --net sleep 20 & pid=$!
     trap 'kill $pid' EXIT
     until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
     ip link add guest$pid type veth peer name port$pid
     ip link set port$pid master ${bridge} up
     ip link set guest$pid name nic netns $pid
     nsenter --target $pid --net sh -c 'ip link set nic up; ip addr add fd00:77::5/64 dev nic nodad; sleep 8'`,
  ]);
  await sh(`/sbin/ifconfig ${bridge} inet6 fd00:77::1/64 alias`);
  await until('the other answers', 10, async () =>
    (await rows()).some((row) => row.startsWith('fd00:77::5 ') && !row.includes('link#'))
      ? true
      : (await sh('/usr/bin/busybox ping6 -c 1 -W 1 fd00:77::5')).exitCode === 0,
  );
  expect(await rowsTo('fd00:77::5 ')).toEqual([
    expect.stringMatching(/^fd00:77::5 [0-9a-f]{1,2}(\.[0-9a-f]{1,2}){5} UHLWIi bridge100$/),
  ]);
  expect(
    await inOneShell(`/sbin/ifconfig ${bridge} inet6 fd00:77::5/64 alias && /sbin/ifconfig ${bridge}`),
  ).toContain('fd00:77::5 prefixlen 64 tentative ');
  await until('it is told', 20, async () =>
    (await addresses(bridge)).includes('fd00:77::5 prefixlen 64 duplicated '),
  );
  await guest;
  close();
  await until('the bridge is gone', 5, async () => !(await said('/sbin/ifconfig -l')).includes(bridge));
});

describe('route -inet6 and the kernel’s rules behind it', () => {
  beforeEach(openTap);
  afterEach(closeTap);

  test('add, exists, delete, absent: what the kernel refuses is printed on both streams and exits 0', async () => {
    await sh(`${set} up`);
    expect(await sh(add)).toEqual({ ...silent, stdout: `add net ${net}: gateway ${pair}2\n` });
    expect(await rowsTo('fd00:dead::')).toEqual([`${net} ${pair}2 UGSc tap1`]);
    expect(await sh(`/sbin/route -n add -inet6 ${net} ::1`)).toEqual({
      stdout: `add net ${net}: gateway ::1: File exists\n`,
      stderr: 'route: writing to routing socket: File exists\n',
      exitCode: 0,
    });
    // Whatever gateway is named.
    expect(await sh(`/sbin/route -n delete -inet6 ${net} fe80::1%en0`)).toEqual({
      ...silent,
      stdout: `delete net ${net}: gateway fe80::1%en0\n`,
    });
    expect(await sh(`/sbin/route -n delete -inet6 ${net}`)).toEqual({
      stdout: `delete net ${net}: not in table\n`,
      stderr: 'route: writing to routing socket: not in table\n',
      exitCode: 0,
    });
  });

  test('a gateway that is not on-link: without a way there it is refused, else it goes where the default goes', async () => {
    expect(await sh(add)).toEqual({
      stdout: `add net ${net}: gateway ${pair}2: Network is unreachable\n`,
      stderr: 'route: writing to routing socket: Network is unreachable\n',
      exitCode: 0,
    });
    await mac().call('xnu.tunnel.open', {
      ...{ name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1', address6: 'fd7a:115c:a1e0::5' },
    });
    // A default route that is only for packets bound to its interface is none.
    expect(await rowsTo('default')).toEqual(['default fe80::%utun4 UGcIg utun4']);
    expect((await sh(add)).stdout).toContain('Network is unreachable');
    await mac().call('xnu.inet6.router', { network: '2001:db8:1:2::' });
    expect(await sh(add)).toEqual({ ...silent, stdout: `add net ${net}: gateway ${pair}2\n` });
    expect(await rowsTo('fd00:dead::')).toEqual([`${net} ${pair}2 UGSc en0`]);
    await sh(`/sbin/route -n delete -inet6 ${net}`);
    await mac().call('xnu.inet6.router-goes');
    await mac().call('xnu.tunnel.close', { name: 'utun4' });
    expect((await rows()).join('\n')).not.toMatch(/default|utun4|2001/);
  });

  test.each([
    ['fd00:dead::', 'add host fd00:dead::', 'fd00:dead:: '],
    ['2000:1::', 'add net 2000:1::', '2000:1::/64 '],
    ['2000:1::1', 'add host 2000:1::1', '2000:1::1 '],
    ['fd00:dead::5/128', 'add host fd00:dead::5/128', 'fd00:dead::5 '],
    ['fd00:dead:: -prefixlen 48', 'add net fd00:dead::', 'fd00:dead::/48 '],
    ['-net fd00:dead::', 'add net fd00:dead::', 'default '],
    ['default', 'add net default', 'default '],
    ['fd00:dead::9/64', 'add net fd00:dead::9/64', 'fd00:dead::/64 '],
  ])('add -inet6 %s enters what it looks like', async (words, printed, entered) => {
    await sh(`${set} up`);
    const [destination = '', ...after] = words.replace('-net ', '').split(' ');
    const before = words.startsWith('-net ') ? '-net ' : '';
    const line = `-inet6 ${before}${destination} ${pair}2 ${after.join(' ')}`.trim();
    expect((await sh(`/sbin/route -n add ${line}`)).stdout).toBe(`${printed}: gateway ${pair}2\n`);
    expect(await rowsTo(entered)).toEqual([expect.stringMatching(/ UGH?Sc?g? tap1$/)]);
    await sh(`/sbin/route -n delete ${line}`);
    expect(await rowsTo(entered)).toEqual([]);
  });

  const nobody = 'nodename nor servname provided, or not known\n';
  test.each([
    [`add ${net} ${pair}2`, 68, `route: bad address: ${net}\n`],
    [`add ${net} ${pair}2 -inet6`, 68, `route: bad address: ${net}\n`],
    ['add -inet6 fd00::g/64 fd00::2', 1, `fd00::g: ${nobody}`],
    [`add -inet6 ${net} fd00::2/64`, 1, `fd00::2/64: ${nobody}`],
    [`add -inet6 ${net} fe80::2%tap9`, 1, `fe80::2%tap9: ${nobody}`],
    [`add -inet6 ${net} -interface tap9`, 1, `tap9: ${nobody}`],
    ['add -inet6 fd00::/129 fd00::2', 1, '129: bad value\n'],
    ['add -inet6 fd00:: fd00::2 -prefixlen 129', 1, '129: bad value\n'],
    [`add -inet6 ${net}`, 64, /^usage: route /],
    [`add -inet6 -nonsense ${net} fd00::2`, 64, /^route: bad keyword: nonsense\nusage: route /],
  ])('%s is refused', async (words, exitCode, stderr) => {
    const answer = await sh(`/sbin/route -n ${words}`);
    expect(answer).toMatchObject({ stdout: '', exitCode });
    expect(answer.stderr).toEqual(typeof stderr === 'string' ? stderr : expect.stringMatching(stderr));
  });

  test('a link-local gateway is bound by its zone, an interface needs none, and a VPN may block everything', async () => {
    await sh(`${set} up`);
    await mac().call('xnu.tunnel.open', {
      ...{ name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1', address6: 'fd7a:115c:a1e0::5' },
    });
    await sh('/sbin/route -q -n add -inet6 ::/1 -interface utun4');
    await sh('/sbin/route -q -n add -inet6 8000::/1 ::1 -reject');
    await sh('/sbin/route -q -n add -inet6 fd00:9::/64 fe80::2%tap1');
    expect((await rows()).filter((row) => /S/.test(row.split(' ')[2] ?? ''))).toEqual([
      '::/1 utun4 UScg utun4',
      '8000::/1 ::1 UGRSc lo0',
      'fd00:9::/64 fe80::2%tap1 UGSc tap1',
    ]);
    expect(await said('/.lab/bin/ip -6 route get 2001:db8::1')).toContain('dev utun4');
    expect((await sh('/.lab/bin/ip -6 route get fd00:dead::1')).stderr).toContain('No route to host');
    expect(await said('/sbin/route -n get -inet6 fd00:9::1')).toContain(
      '    gateway: fe80::2%tap1\n  interface: tap1\n      flags: <UP,GATEWAY,DONE,CLONING,STATIC>\n',
    );
    expect(await said('/.lab/bin/ip -6 route get fd00:9::1')).toContain('via fe80::2 dev tap1');
    for (const destination of ['::/1', '8000::/1']) await sh(`/sbin/route -n delete -inet6 ${destination}`);
    await mac().call('xnu.tunnel.close', { name: 'utun4' });
  });

  test('an exit node takes a network that is on-link; nobody gives it back but who sets the address anew', async () => {
    await sh(`${set} up`);
    await mac().call('xnu.tunnel.open', {
      ...{ name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1', address6: 'fd7a:115c:a1e0::5' },
    });
    await mac().call('xnu.tunnel.take', { name: 'utun4', network: `${pair}/126` });
    expect(await rowsTo(`${pair}/126`)).toEqual([`${pair}/126 link# UCS utun4`]);
    expect(await said(`/.lab/bin/ip -6 route get ${pair}2`)).toContain('dev utun4');
    await mac().call('xnu.tunnel.close', { name: 'utun4' });
    expect(await rowsTo(`${pair}/126`)).toEqual([]);
    await sh(set);
    expect(await rowsTo(`${pair}/126`)).toEqual([`${pair}/126 link# UC tap1`]);
  });

  test('a router gives en0 an address of its network beside the one that every link has', async () => {
    expect(await addresses('en0')).toEqual([
      'fe80::f218:98ff:fe21:4365%en0 prefixlen 64 secured scopeid 0x2 ',
    ]);
    await mac().call('xnu.inet6.router', { network: '2001:db8:1:2::' });
    expect((await addresses('en0'))[1]).toBe(
      '2001:db8:1:2:f218:98ff:fe21:4365 prefixlen 64 autoconf secured ',
    );
    expect(await rowsTo('2001:db8:1:2::/64')).toEqual(['2001:db8:1:2::/64 link# UCg en0']);
    expect(await rowsTo('default')).toEqual(['default fe80::1%en0 UGcg en0']);
    await mac().call('xnu.inet6.router-goes');
    expect(await addresses('en0')).toHaveLength(1);
    expect((await rows()).join('\n')).not.toMatch(/default|2001/);
  });

  test('get: on-link there is no gateway, without a way it is not in the table', async () => {
    await sh(`${set} up`);
    expect(await said(`/sbin/route -n get -inet6 ${pair}2`)).toMatch(
      new RegExp(
        `^   route to: ${pair}2\ndestination: ${pair}\n       mask: ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc\n` +
          '  interface: tap1\n      flags: <UP,DONE,CLONING>\n',
      ),
    );
    expect(await sh('/sbin/route -n get -inet6 2001:db8::1')).toEqual({
      ...silent,
      stderr: 'route: writing to routing socket: not in table\n',
    });
  });

  test('only root alters the table', async () => {
    expect(await mac().asUser(add.split(' '))).toEqual({
      ...silent,
      stderr: 'route: must be root to alter routing table\n',
      exitCode: 77,
    });
  });

  test('monitor tells of addresses and routes', async () => {
    const monitor = mac().spawn(['/sbin/route', '-n', 'monitor']);
    let told = '';
    monitor.stdout?.on('data', (chunk: Buffer) => (told += chunk.toString()));
    try {
      await until('it listens', 10, async () => {
        await sh(`${set} up`);
        return told.includes('RTM_NEWADDR: ');
      });
      await sh(add);
      await until('the route is told', 5, () => Promise.resolve(told.includes('RTM_ADD: ')));
      await sh(`/sbin/route -n delete -inet6 ${net}`);
      await sh(`/sbin/ifconfig tap1 inet6 ${pair}1 delete`);
      await until('that both went is told', 5, () =>
        Promise.resolve(/RTM_DELETE: [^]*RTM_DELADDR: /.test(told)),
      );
    } finally {
      monitor.kill();
    }
  });

  test('the network of two interfaces leads to the first; the second’s is there for itself alone', async () => {
    await openTapTwo();
    await sh('/sbin/ifconfig tap1 inet6 fd00:5::1/64 up');
    await sh('/sbin/ifconfig tap2 inet6 fd00:5::2/64 up');
    expect(await rowsTo('fd00:5::/64')).toEqual(['fd00:5::/64 link# UC tap1', 'fd00:5::/64 link# UCI tap2']);
    expect(await said('/sbin/route -n get -inet6 fd00:5::9')).toContain('interface: tap1');
    await sh('/sbin/ifconfig tap1 inet6 fd00:5::1 delete');
    await until('the second is the first', 5, async () =>
      (await rowsTo('fd00:5::/64')).includes('fd00:5::/64 link# UC tap2'),
    );
    other?.close();
  });

  let other: Held<unknown> | undefined;
  async function openTapTwo(): Promise<void> {
    other = await hold('xnu.tap.open', { unit: 2, pid: 4712, uid: 501 }, socket());
  }
});

test.each([
  ['10.13.6', 'Gateway                         Flags         Netif Expire', '    UHL             lo0'],
  ['11.7.10', 'Gateway                         Flags         Netif Expire', '    UHL             lo0       '],
  [
    '13.6.9',
    'Gateway                         Flags           Netif Expire',
    '    UHL               lo0       ',
  ],
  [
    '14.6.1',
    'Gateway                                 Flags               Netif Expire',
    '    UHL                   lo0       ',
  ],
])('netstat of macOS %s has that version’s columns', async (macos, header, end) => {
  const other = await bootMac({ macos });
  try {
    const whole = await other.run(['/usr/sbin/netstat', '-rn', '-f', 'inet6']);
    const [title, blank, family, head, first, ...more] = whole.stdout.split('\n');
    expect([title, blank, family]).toEqual(['Routing tables', '', 'Internet6:']);
    expect(head).toBe(`Destination                             ${header}`);
    expect(first?.startsWith('::1                                     ::1   ')).toBe(true);
    expect(first?.endsWith(end)).toBe(true);
    const cells = more.filter((line) => line !== '').map((line) => line.trim().split(/\s+/));
    const all = cells.map((row) => row.join(' '));
    expect(all.slice(0, 4)).toEqual([
      'fe80::%lo0/64 fe80::1%lo0 UcI lo0',
      'fe80::1%lo0 link#1 UHLI lo0',
      'fe80::%en0/64 link#2 UCI en0',
      'fe80::f218:98ff:fe21:4365%en0 f0:18:98:21:43:65 UHLI lo0',
    ]);
    expect(all).toContain('ff01::%en0/32 link#2 UmCI en0');
    expect(all.includes('ff00::/8 link#2 UmCI en0')).toBe(!macos.startsWith('10.'));
  } finally {
    await other.end();
  }
});
