/** Containers answer by name: to programs of the Mac, and what the server says to whoever asks it itself. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { mended, raised, type } from './lib/doctor.js';
import {
  commandLines,
  conditionIs,
  containerAnswers,
  dockerOf,
  engineAnswers,
  fetchFromMac,
  install,
  must,
  openDocker,
  phaseIs,
  pidIn,
  statusOf,
  vmPid,
} from './lib/vocabulary.js';
import { firstFound } from './lib/first-found.js';
import { until } from '../lib/until.js';

let mac: Mac;

const scene = chaptersOn(() => mac);

const file = '/etc/resolver/docker';
const portIn = (): number => Number(/^port (\d+)$/m.exec(readFileSync(mac.path(file), 'utf8'))?.[1]);

/** Asks whoever the resolver file names, over UDP, as anybody on the Mac can: the addresses, `rcode N`, or `silence`. */
const script = `
const [name, port] = process.argv.slice(1);
const header = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
const query = Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
const socket = require('node:dgram').createSocket('udp4');
const say = (text) => { console.log(text); process.exit(); };
socket.on('message', (bytes) => {
  const rcode = bytes[3] & 15;
  if (rcode !== 0) say('rcode ' + rcode);
  const addresses = [];
  for (let count = bytes.readUInt16BE(6), at = query.length; count > 0; count -= 1) {
    while (bytes[at] !== 0) at += bytes[at] + 1;
    addresses.push([...bytes.subarray(at + 11, at + 15)].join('.'));
    at += 15;
  }
  say(addresses.join(' ') || 'nothing');
});
socket.send(query, Number(port), '127.0.0.1');
setTimeout(say, 20_000, 'silence');
`;
const ask = async (name: string): Promise<string> =>
  (await must(mac, ['/opt/tuntapd/bin/node', '-e', script, name, String(portIn())])).trim();
const namesAre = (reason: string, seconds = 60): Promise<unknown> =>
  conditionIs(mac, 'Names', { reason }, seconds);

/** What getaddrinfo gives a program for a name: addresses, or its error. */
const lookUp = async (name: string): Promise<string> =>
  (
    await must(mac, [
      '/usr/local/bin/node',
      '-e',
      `require('node:dns').lookup(process.argv[1], { all: true }, (error, all) =>
        console.log(error ? error.code : all.map(({ address }) => address).sort().join(' ')))`,
      name,
    ])
  ).trim();
const is = (name: string, wanted: string, seconds: number): Promise<unknown> =>
  until(`programs find that ${name} is ${wanted}`, seconds, async () => (await lookUp(name)) === wanted);
const serves = (host: string, name: string, seconds = 60): Promise<unknown> =>
  until(`http://${host}/ is served by ${name}`, seconds, async () =>
    (await fetchFromMac(mac, host)).includes(`served by ${name}`),
  );

/** A DNS server like a VPN’s own at 127.0.2.2: whatever it is asked, it is 192.0.2.99. */
const vpnsServer = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (packet, from) => {
  const end = packet.indexOf(0, 12) + 5;
  const isFour = packet.readUInt16BE(end - 4) === 1;
  const answer = Buffer.from(packet.subarray(0, end));
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(isFour ? 1 : 0, 6);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 99]);
  socket.send(isFour ? Buffer.concat([answer, record]) : answer, from.port, from.address);
});
socket.bind(53, '127.0.2.2', () => console.log('bound'));
`;

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid', login: 'person' });
  await install(mac);
}, 1_200_000);
afterAll(async () => {
  await mac.end();
}, 60_000);

scene(
  'a container answers by its name, and by whatever stands before it; what is not there is denied',
  async () => {
    await openDocker(mac);
    const address = await containerAnswers(mac, 'web');
    await namesAre('Answering');
    await serves('web.docker', 'web');
    await serves('Shop.WEB.docker', 'web');
    expect(await lookUp('web.docker')).toBe(address);
    expect(await ask('shop.web.docker')).toBe(address);
    expect(await ask('db.docker')).toBe('rcode 3');
    expect(await ask('example.com')).toBe('rcode 5');
    expect((await must(mac, ['/usr/sbin/scutil', '--dns'])).includes(`port     : ${portIn()}`)).toBe(true);
    expect(await must(mac, ['/usr/local/bin/tuntapctl', 'names'])).toContain('container web');
    await until('ping goes all the way', 90, async () =>
      /^ok firewall /m.test(await must(mac, ['/usr/local/bin/tuntapctl', 'ping', 'shop.web.docker'])),
    );
  },
);

scene('doctor finds nothing wrong, and that programs find a container', async () => {
  await phaseIs(mac, 'ready', 90);
  await until('it does', 90, async () => {
    const said = await must(mac, ['/usr/local/bin/tuntapctl', 'doctor']);
    for (const code of ['TT012', 'TT013', 'TT120']) expect(said).toMatch(new RegExp(`^ok ${code} `, 'm'));
  });
});

/** A person who has just asked knows that the daemon's own look at its server, once a minute, is far. */
scene('TT012: the server hangs; what is printed has another one answer', async () => {
  const servers = async (): Promise<string[]> =>
    [
      ...(await must(mac, ['/bin/ps', '-axww', '-o', 'pid=,args='])).matchAll(/^ *(\d+) .*names-worker/gm),
    ].map(([, pid = '']) => pid);
  await must(mac, ['/usr/local/bin/tuntapctl', 'up']);
  const [hung = ''] = await servers();
  await must(mac, ['/bin/kill', '-STOP', hung]);
  await type(mac, await raised(mac, ['TT012']));
  await until('another one is there', 45, async () => !(await servers()).includes(hung));
  await raised(mac, []);
});

scene('TT013: /etc/hosts has another address for a container', async () => {
  const [first] = (await statusOf(mac)).names?.names ?? [];
  const host = `${first?.name}.docker`;
  const before = readFileSync(mac.path('/etc/hosts'), 'utf8');
  writeFileSync(mac.path('/etc/hosts'), `${before}192.0.2.5 ${host}\n`);
  await mended(mac, 'TT013', {
    says: new RegExp(`/etc/hosts has it, .* take that line out there: grep -in ${host} /etc/hosts`),
    done: () => {
      writeFileSync(mac.path('/etc/hosts'), before);
    },
  });
});

scene('a name that was asked before its container ran is found at once when it starts', async () => {
  const delays: number[] = [];
  for (const name of ['late-1', 'late-2', 'late-3']) {
    expect(await lookUp(`${name}.docker`)).toBe('ENOTFOUND');
    const found = firstFound(mac, `${name}.docker`);
    await dockerOf(mac).serve(name);
    const started = Date.now();
    delays.push((await found) - started);
  }
  // About a second at rest (make bench); what macOS was denied it denies itself for 77 s and longer.
  expect(Math.max(...delays)).toBeLessThan(60_000);
});

scene('a project of Compose: its service is all replicas, each has a name, and so has an alias', async () => {
  const docker = dockerOf(mac);
  await docker.createNetwork('shop_default', '172.30.7.0/24');
  const [one, two] = ['172.30.7.11', '172.30.7.12'] as const;
  for (const [number, always] of [one, two].entries())
    await docker.serve(`shop-web-${number + 1}`, 'shop_default', {
      always,
      aliases: ['www'],
      labels: {
        'com.docker.compose.project': 'shop',
        'com.docker.compose.service': 'web',
        'com.docker.compose.container-number': String(number + 1),
      },
    });
  await is('web.shop.docker', `${one} ${two}`, 60);
  await is('www.shop-default.docker', `${one} ${two}`, 60);
  expect(await lookUp('1.web.shop.docker')).toBe(one);
  expect(await lookUp('anything.2.web.shop.docker')).toBe(two);
  await serves('shop_web_2.docker', 'shop-web-2');
});

scene('a container that is renamed has its new name at once, and its old one no more', async () => {
  expect(await lookUp('site.docker')).toBe('ENOTFOUND');
  await dockerOf(mac).rename('late-1', 'site');
  await serves('site.docker', 'late-1');
  // What macOS was told it keeps for 15 s.
  await is('late-1.docker', 'ENOTFOUND', 30);
});

scene('without a network names are found all the same', async () => {
  await must(mac, ['/sbin/ifconfig', 'en0', 'down']);
  try {
    await dockerOf(mac).serve('offline');
    await serves('offline.docker', 'offline');
    await serves('web.docker', 'web');
  } finally {
    await must(mac, ['/sbin/ifconfig', 'en0', 'up']);
  }
});

scene('a VPN that takes over DNS has all other names, and these are found as before', async () => {
  const vpn = mac.spawn(['/usr/local/bin/node', '-e', vpnsServer]);
  await new Promise((resolve) => vpn.stdout?.once('data', resolve));
  await mac.call('xnu.tunnel.open', { name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1' });
  try {
    await mac.call('dns.set', { servers: ['127.0.2.2'], interface: 'utun4' });
    await is('intranet.example', '192.0.2.99', 10);
    await serves('web.docker', 'web');
    await dockerOf(mac).serve('on-vpn');
    await serves('on-vpn.docker', 'on-vpn');
    expect(await lookUp('docker.example')).toBe('192.0.2.99');
    await namesAre('Answering');
  } finally {
    await mac.call('dns.set', { servers: [] });
    await mac.call('xnu.tunnel.close', { name: 'utun4' });
    vpn.kill('SIGKILL');
  }
});

scene('after the VM was killed, what starts with the next one is found by its name', async () => {
  await dockerOf(mac).inVm('sync');
  const before = pidIn(mac, vmPid);
  await must(mac, ['/bin/kill', '-KILL', String(before)]);
  await until('a new VM', 60, () => Promise.resolve(pidIn(mac, vmPid) !== before));
  await engineAnswers(mac);
  await serves('1.web.shop.docker', 'shop-web-1', 120);
  await is('web.shop.docker', '172.30.7.11 172.30.7.12', 90);
  // That one ended with the VM.
  await is('web.docker', 'ENOTFOUND', 30);
});

scene('who answers is nobody, on a port that only root can have', async () => {
  expect(portIn()).toBeLessThan(600);
  const { stdout } = await mac.run(['/bin/ps', '-axww', '-o', 'pid=,uid=,args=']);
  const line = stdout.split('\n').find((each) => each.includes('names-worker.mjs'));
  expect(line).toMatch(/^ *\d+ +4294967294 /);
});

scene('down takes file and server away, up brings them back', async () => {
  await serves('shop-web-1.docker', 'shop-web-1');
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  expect(existsSync(mac.path(file))).toBe(false);
  await is('shop-web-1.docker', 'ENOTFOUND', 30);
  await until('the server is gone', 45, async () => {
    return !(await commandLines(mac)).some((line) => line.includes('names-worker.mjs'));
  });
  await must(mac, ['/usr/local/bin/tuntapctl', 'up']);
  await namesAre('Answering');
  await serves('shop-web-1.docker', 'shop-web-1', 60);
});

scene('somebody else’s file for the same domain stays, and is told', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  mkdirSync(mac.path('/etc/resolver'), { recursive: true });
  writeFileSync(mac.path(file), 'nameserver 127.0.0.1\nport 19322\n');
  await mac.run(['/usr/local/bin/tuntapctl', 'up']);
  await namesAre('FileForeign');
  await phaseIs(mac, 'ready', 90);
  expect(readFileSync(mac.path(file), 'utf8')).toBe('nameserver 127.0.0.1\nport 19322\n');
  await must(mac, ['/bin/rm', file]);
  await mac.run(['/usr/local/bin/tuntapctl', 'up']);
  await namesAre('Answering');
  await serves('shop-web-1.docker', 'shop-web-1');
});

scene('another domain by configuration: the file of the old one goes', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'config', 'set', 'names.zone', 'docker.test']);
  await until('the new file is there', 90, () =>
    Promise.resolve(existsSync(mac.path('/etc/resolver/docker.test'))),
  );
  expect(existsSync(mac.path(file))).toBe(false);
  await must(mac, ['/usr/local/bin/tuntapctl', 'config', 'set', 'names.zone', 'docker']);
  await until('the first is back', 90, () => Promise.resolve(existsSync(mac.path(file))));
});

scene(
  'the daemon is killed and comes back: names answer again, and what was denied before is found',
  async () => {
    const { pid } = await statusOf(mac);
    expect(await lookUp('after-the-crash.docker')).toBe('ENOTFOUND');
    await must(mac, ['/bin/kill', '-KILL', String(pid)]);
    await until('another one answers', 60, async () => (await statusOf(mac)).pid !== pid);
    await namesAre('Answering', 90);
    await serves('shop-web-1.docker', 'shop-web-1', 30);
    // macOS itself goes on denying it for 77 s, unless it is told to forget.
    await is('after-the-crash.docker', await dockerOf(mac).serve('after-the-crash'), 40);
  },
);

scene('nothing of it is left after uninstalling', async () => {
  await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon'], 120_000);
  expect(existsSync(mac.path('/etc/resolver'))).toBe(false);
  expect((await commandLines(mac)).join('\n')).not.toContain('names-worker.mjs');
});
