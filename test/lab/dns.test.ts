/** Names on a lab Mac: which resolvers it has, how long mDNSResponder keeps what they say, and what programs get. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { bootMac, type Mac } from './lab.js';
import { isDue, keep } from './mac/dns/cache.js';
import { dnsConfiguration, resolverFor } from './mac/dns/configuration.js';
import { createQuestions } from './mac/dns/questions.js';
import { parseResolverFile } from './mac/dns/resolver-files.js';
import { answerIn, question } from './mac/dns/wire.js';
import { until } from '../lib/until.js';

jest.setTimeout(60_000);

const online = { servers: ['192.168.1.1'], interface: { index: 4, name: 'en0' }, isOnline: true };

describe('a resolver file, by configd’s grammar', () => {
  test.each([
    [
      'web',
      'nameserver 127.0.0.1\nport 299\ntimeout 5\nflags a aaaa\n',
      { domain: 'web', port: 299, timeout: 5 },
    ],
    [
      'web',
      'domain docker..\nnameserver 127.0.0.1\n',
      { domain: 'docker', nameservers: ['127.0.0.1'], port: null },
    ],
    ['web', 'nameserver  127.0.0.1\nport 010\nport 9\n', { nameservers: [], port: 8 }],
    ['web', '#port 1\n ;\nport\t0x10 and more\n search_order 3\nsearch_order 7\n', { port: 16, order: 7 }],
    [
      'web',
      '1\nnameserver a b\nnameserver c\nnameserver d\nnameserver e\n',
      { nameservers: ['a', 'c', 'd'] },
    ],
  ])('%s: %j', (name, text, resolver) => {
    expect(parseResolverFile(name, text)).toMatchObject(resolver);
  });

  const file = (name: string, text: string) => parseResolverFile(name, text);
  const all = dnsConfiguration(online, [
    file('docker', 'nameserver 127.0.0.1\n'),
    file('shop.docker', 'nameserver 127.0.0.2\nsearch_order 2\n'),
    file('again', 'domain shop.docker\nnameserver 127.0.0.3\nsearch_order 1\n'),
    file('multi', 'nameserver 127.0.0.4\nport 5353\n'),
  ]);
  test.each([
    ['web.docker', '127.0.0.1'],
    ['DOCKER', '127.0.0.1'],
    ['web.Shop.docker', '127.0.0.3'],
    ['xdocker', '192.168.1.1'],
    ['example.com', '192.168.1.1'],
  ])('the longest suffix wins, and of the same the lowest order: %s', (name, server) => {
    expect(resolverFor(all, name)?.nameservers).toEqual([server]);
  });

  test('port 5353 is for multicast, and so is the name local', () => {
    for (const name of ['x.multi', 'mac.local'])
      expect(resolverFor(all, name)).toMatchObject({ isMulticast: true });
  });

  test('without a network nothing is asked for, but by a line of flags', () => {
    const offline = dnsConfiguration({ servers: [], interface: null, isOnline: false }, [
      file('docker', 'nameserver 127.0.0.1\nflags a aaaa\n'),
      file('test', 'nameserver 127.0.0.1\n'),
    ]);
    expect(resolverFor(offline, 'web.docker')?.records).toEqual({ a: true, aaaa: true });
    expect(resolverFor(offline, 'web.test')?.records).toEqual({ a: false, aaaa: false });
    expect(resolverFor(all, 'web.docker')?.records).toEqual({ a: true, aaaa: false });
  });
});

describe('how long an answer is kept', () => {
  test.each([
    [0, 15],
    [5, 15],
    [10, 15],
    [30, 39],
    [300, 377],
  ])('an address with a TTL of %i is for %i s', (ttl, seconds) => {
    expect(keep({ addresses: ['172.17.0.2'], ttl }, 1000, undefined).until).toBe(1000 + seconds);
  });

  test('a denial for 77 s, and each time it is renewed twice as long, up to 75 minutes', () => {
    const denial = { addresses: [], ttl: 5 };
    let kept = keep(denial, 0, undefined);
    const lives = [kept.until];
    for (let times = 0; times < 8; times += 1) {
      const now = kept.until - 1;
      kept = keep(denial, now, kept);
      lives.push(kept.until - now);
    }
    expect(lives).toEqual([77, 152, 302, 602, 1202, 2402, 4502, 4502, 4502]);
    expect(keep(denial, kept.until, kept).until - kept.until).toBe(77);
    expect(keep(denial, 10, keep({ addresses: ['1.1.1.1'], ttl: 5 }, 0, undefined)).until).toBe(87);
  });

  test('it is renewed in the last fifth of its life', () => {
    const kept = keep({ addresses: [], ttl: 0 }, 0, undefined);
    expect([isDue(kept, 61), isDue(kept, 62)]).toEqual([false, true]);
  });
});

describe('what mDNSResponder answers from', () => {
  const resolvers = (port: number) =>
    dnsConfiguration(online, [
      parseResolverFile('docker', `nameserver 127.0.0.1\nport ${port}\nflags a aaaa\n`),
    ]);
  /** A server that has what `zone` says; `sent` is what it was asked. */
  function scene() {
    const zone: Record<string, string[]> = {};
    const sent: string[] = [];
    let now = 0;
    let again = 0;
    const questions = createQuestions({
      now: () => now,
      ask: (_resolver, name, type) => {
        sent.push(`${type} ${name}`);
        return {
          reply: Promise.resolve({ addresses: zone[`${type} ${name}`] ?? [], ttl: 5 }),
          again: () => (again += 1),
        };
      },
    });
    questions.follow(resolvers(299));
    return { zone, sent, questions, pass: (seconds: number) => (now += seconds * 1000), again: () => again };
  }

  test('a name asked too early stays denied, until it is forgotten or SIGHUP', async () => {
    const { zone, sent, questions, pass } = scene();
    expect(await questions.addressesOf('web.docker', 4)).toEqual([]);
    zone['A web.docker'] = ['172.17.0.2'];
    pass(60);
    expect(await questions.addressesOf('WEB.docker', 4)).toEqual([]);
    expect(sent).toEqual(['A web.docker']);
    questions.purge();
    expect(await questions.addressesOf('web.docker', 4)).toEqual(['172.17.0.2']);
    delete zone['A web.docker'];
    pass(14);
    expect(await questions.addressesOf('web.docker', 4)).toEqual(['172.17.0.2']);
    pass(2);
    expect(await questions.addressesOf('web.docker', 4)).toEqual([]);
  });

  test('what a resolver that is another one said is forgotten, and nothing else', async () => {
    const { zone, questions } = scene();
    zone['A web.docker'] = ['172.17.0.2'];
    zone['A example.com'] = ['192.0.2.1'];
    for (const name of ['web.docker', 'example.com']) await questions.addressesOf(name, 4);
    zone['A web.docker'] = ['172.17.0.3'];
    zone['A example.com'] = ['192.0.2.2'];
    questions.follow(resolvers(298));
    expect(await questions.addressesOf('web.docker', 4)).toEqual(['172.17.0.3']);
    expect(await questions.addressesOf('example.com', 4)).toEqual(['192.0.2.1']);
  });

  test('records of a kind that the network has not are denied without a packet', async () => {
    const { sent, questions } = scene();
    expect(await questions.addressesOf('example.com', 6)).toEqual([]);
    expect(sent).toEqual([]);
  });
});

test('an answer is one to this very question, by its id and its name as it was asked', () => {
  const asked = question(7, 'Web.docker', 'A');
  const header = (flags: number, answers: number, id = 7): Buffer => {
    const bytes = Buffer.from(asked);
    bytes.writeUInt16BE(id, 0);
    bytes.writeUInt16BE(flags, 2);
    bytes.writeUInt16BE(answers, 6);
    return bytes;
  };
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 172, 17, 0, 2]);
  const good = Buffer.concat([header(0x8400, 1), record]);
  expect(answerIn(good, asked, 'A')).toEqual({
    what: 'records',
    reply: { addresses: ['172.17.0.2'], ttl: 5 },
  });
  expect(answerIn(header(0x8403, 0), asked, 'A')).toEqual({
    what: 'records',
    reply: { addresses: [], ttl: 0 },
  });
  expect(answerIn(header(0x8405, 0), asked, 'A')).toEqual({ what: 'failure' });
  expect(answerIn(header(0x8600, 0), asked, 'A')).toEqual({ what: 'cut' });
  const other = Buffer.from(good.toString('latin1').replace('Web', 'web'), 'latin1');
  for (const packet of [
    header(0x0400, 0),
    header(0x8400, 0, 8),
    other,
    good.subarray(0, -1),
    Buffer.alloc(3),
  ])
    expect(answerIn(packet, asked, 'A')).toBeNull();
});

describe('on a lab Mac', () => {
  let mac: Mac;

  /** A server at 127.0.0.1:PORT with the addresses in /tmp/zone.json; a name that begins with `four` has no AAAA, nor its denial. */
  const server = `
const { readFileSync, appendFileSync } = require('node:fs');
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (packet, from) => {
  const labels = [];
  let at = 12;
  for (; packet[at] !== 0; at += packet[at] + 1) labels.push(packet.toString('latin1', at + 1, at + 1 + packet[at]));
  const isFour = packet.readUInt16BE(at + 1) === 1;
  const name = labels.join('.');
  appendFileSync('/tmp/asked', (isFour ? 'A ' : 'AAAA ') + name + '\\n');
  if (!isFour && name.startsWith('four')) return;
  const address = JSON.parse(readFileSync('/tmp/zone.json', 'utf8'))[name];
  const answer = Buffer.from(packet.subarray(0, at + 5));
  answer.writeUInt16BE(address ? 0x8400 : 0x8403, 2);
  answer.writeUInt16BE(address && isFour ? 1 : 0, 6);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, ...(address || '').split('.')]);
  socket.send(address && isFour ? Buffer.concat([answer, record]) : answer, from.port, from.address);
});
socket.bind(Number(process.argv[1]), process.argv[2], () => console.log('bound'));
`;
  async function serve(port: number, address = '127.0.0.1'): Promise<() => void> {
    const child = mac.spawn(['/usr/local/bin/node', '-e', server, String(port), address]);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    return () => child.kill('SIGKILL');
  }
  const has = (zone: Record<string, string>): void => {
    writeFileSync(mac.path('/tmp/zone.json'), JSON.stringify(zone));
    writeFileSync(mac.path('/tmp/asked'), '');
  };
  const asked = (): string[] => readFileSync(mac.path('/tmp/asked'), 'utf8').trim().split('\n');
  const write = (name: string, text: string): void => {
    mkdirSync(mac.path('/etc/resolver'), { recursive: true });
    writeFileSync(mac.path(`/etc/resolver/${name}`), text);
  };
  const node = async (expression: string): Promise<string> =>
    (await mac.asUser(['/usr/local/bin/node', '-p', expression])).stdout.trim();
  const lookUp = (name: string): Promise<string> =>
    node(`require('node:dns').lookup('${name}', { all: true }, (error, all) =>
      console.log(error ? error.code : all.map(({ address }) => address).join(' '))), ''`);
  const finds = (name: string, wanted: string): Promise<unknown> =>
    until(`${name} is ${wanted}`, 20, async () => (await lookUp(name)) === wanted);
  const scutil = async (): Promise<string> => (await mac.run(['/usr/sbin/scutil', '--dns'])).stdout;

  beforeAll(async () => {
    mac = await bootMac();
    has({ 'web.docker': '127.0.0.9' });
    await serve(299);
  }, 120_000);
  afterAll(async () => {
    await mac.end();
  });

  test('without any resolver scutil says so, with 1, and no name but those in /etc/hosts is found', async () => {
    expect(await mac.run(['/usr/sbin/scutil', '--dns'])).toEqual({
      stdout: 'No DNS configuration available\n',
      stderr: '',
      exitCode: 1,
    });
    expect(await lookUp('web.docker')).toBe('ENOTFOUND');
    expect(await lookUp('lab-mac.local')).toBe('127.0.0.1');
  });

  test('a file makes curl, ping, node and dscacheutil find the names of its domain, and those who do not ask macOS not', async () => {
    write('docker', '# ours\nnameserver 127.0.0.1\nport 299\ntimeout 5\nflags a aaaa\n');
    await finds('web.docker', '127.0.0.9');
    const curl = await mac.asUser(['/usr/bin/curl', '--silent', '--verbose', 'http://web.docker:9/']);
    expect(curl.stderr).toContain('127.0.0.9');
    const ping = await mac.run(['/usr/bin/busybox', 'ping', '-c', '1', 'web.docker']);
    expect(ping).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('(127.0.0.9)') as unknown });
    expect(await mac.run(['/usr/bin/dscacheutil', '-q', 'host', '-a', 'name', 'web.docker'])).toEqual({
      stdout: 'name: web.docker\nip_address: 127.0.0.9\n\n',
      stderr: '',
      exitCode: 0,
    });
    expect(
      await mac.run(['/usr/bin/dscacheutil', '-q', 'host', '-a', 'name', 'absent.docker']),
    ).toMatchObject({ stdout: '', exitCode: 0 });
    expect((await mac.run(['/usr/bin/dscacheutil', '-q', 'host'])).exitCode).toBe(64);
    expect(
      await node(
        `require('node:dns').resolve4('web.docker', (error) => console.log(error && error.code)), ''`,
      ),
    ).toBe('ECONNREFUSED');
  });

  test('scutil shows the file as macOS does, after the server of the network and those of multicast', async () => {
    await mac.call('dns.set', { servers: ['192.168.1.1'] });
    const text = await scutil();
    expect(text).toContain(`resolver #8
  domain   : docker
  nameserver[0] : 127.0.0.1
  port     : 299
  timeout  : 5
  flags    : Request A records, Request AAAA records
  reach    : 0x00030002 (Reachable,Local Address,Directly Reachable Address)

DNS configuration (for scoped queries)
`);
    expect(text).toMatch(
      /^DNS configuration\n\nresolver #1\n {2}nameserver\[0\] : 192\.168\.1\.1\n {2}if_index : 2 \(en0\)\n {2}flags {4}: Request A records\n/,
    );
    expect(text).toContain('  domain   : local\n  options  : mdns\n  timeout  : 5\n');
    expect(readFileSync(mac.path('/etc/resolv.conf'), 'utf8')).toBe('nameserver 192.168.1.1\n');
    await mac.call('dns.set', { servers: [] });
  });

  test('a name asked before it is there stays unknown, until SIGHUP to _mdnsresponder’s process', async () => {
    has({ 'web.docker': '127.0.0.9' });
    expect(await lookUp('late.docker')).toBe('ENOTFOUND');
    has({ 'late.docker': '127.0.0.8' });
    expect(await lookUp('late.docker')).toBe('ENOTFOUND');
    expect(asked()).toEqual(['']);
    const { stdout } = await mac.run(['/bin/ps', '-ax', '-o', 'pid=,uid=,ucomm=']);
    const [, pid = ''] = /^ *(\d+) +65 +mDNSResponder *$/m.exec(stdout) ?? [];
    await mac.run(['/bin/kill', '-HUP', pid]);
    await finds('late.docker', '127.0.0.8');
  });

  test('an AAAA that is not answered costs five seconds', async () => {
    has({ 'four.docker': '127.0.0.4', 'web.docker': '127.0.0.9' });
    const began = performance.now();
    expect(await lookUp('four.docker')).toBe('127.0.0.4');
    expect(performance.now() - began).toBeGreaterThan(5000);
    expect(asked()).toEqual(expect.arrayContaining(['A four.docker', 'AAAA four.docker']));
  });

  test('without a network a file is asked only where its flags say so', async () => {
    write('test', 'nameserver 127.0.0.1\nport 299\n');
    has({ 'web.test': '127.0.0.7', 'web.docker': '127.0.0.9' });
    await finds('web.test', '127.0.0.7');
    await mac.run(['/sbin/ifconfig', 'en0', 'down']);
    await finds('web.test', 'ENOTFOUND');
    expect(await lookUp('web.docker')).toBe('127.0.0.9');
    expect(await scutil()).toContain('port     : 299\n  reach');
    await mac.run(['/sbin/ifconfig', 'en0', 'up']);
    await finds('web.test', '127.0.0.7');
  });

  test('port 5353 is never asked, a port over 32767 is shown negative, and a file that goes takes its names with it', async () => {
    const end = await serve(5353);
    write('test', 'nameserver 127.0.0.1\nport 5353\n');
    await finds('web.test', 'ENOTFOUND');
    write('test', 'nameserver 127.0.0.1\nport 54264\n');
    await until('it is shown', 5, async () => (await scutil()).includes('  port     : -11272\n'));
    end();
    rmSync(mac.path('/etc/resolver'), { recursive: true });
    await finds('web.docker', 'ENOTFOUND');
    write('docker', 'nameserver 127.0.0.1\nport 299\n');
    await finds('web.docker', '127.0.0.9');
  });

  test('it comes back when it was killed, and after a reboot', async () => {
    await mac.run([
      '/bin/sh',
      '-c',
      "/bin/kill -9 $(/bin/ps -axo pid=,ucomm= | sed -n 's/ mDNSResponder *$//p')",
    ]);
    await finds('web.docker', '127.0.0.9');
    await mac.reboot();
    has({ 'web.docker': '127.0.0.6' });
    await serve(299);
    await finds('web.docker', '127.0.0.6');
  });
});

test('up to macOS 10.15 a file that is written in place is not noticed, and one that is put there is', async () => {
  const mac = await bootMac({ macos: '10.15.7' });
  const ports = async (): Promise<string[]> =>
    [...(await mac.run(['/usr/sbin/scutil', '--dns'])).stdout.matchAll(/port +: (\d+)/g)].map(
      ([, port = '']) => port,
    );
  const show = (wanted: string): Promise<unknown> =>
    until(`the port is ${wanted}`, 20, async () => (await ports()).join() === wanted);
  try {
    const sh = (script: string) => mac.run(['/bin/sh', '-c', script]);
    await sh(
      "mkdir /etc/resolver; printf 'nameserver 127.0.0.1\\nport 1\\n' >/tmp/new; mv /tmp/new /etc/resolver/docker",
    );
    await show('1');
    await sh("printf 'nameserver 127.0.0.1\\nport 2\\n' >/etc/resolver/docker; sleep 1");
    expect(await ports()).toEqual(['1']);
    await sh("printf 'nameserver 127.0.0.1\\nport 3\\n' >/tmp/new; mv /tmp/new /etc/resolver/docker");
    await show('3');
  } finally {
    await mac.end();
  }
});
