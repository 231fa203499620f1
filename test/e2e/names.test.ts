/** Containers answer by name: what macOS is told, and what it would be answered. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { conditionOf, containerAnswers, install, must, openDocker, statusOf } from './lib/vocabulary.js';
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
setTimeout(say, 1000, 'silence');
`;
const ask = async (name: string): Promise<string> =>
  (await must(mac, ['/opt/tuntapd/bin/node', '-e', script, name, String(portIn())])).trim();
const is = (name: string, wanted: string | RegExp, seconds: number): Promise<string> =>
  until(`${name} is ${String(wanted)}`, seconds, async () => {
    const answer = await ask(name);
    return (typeof wanted === 'string' ? answer === wanted : wanted.test(answer)) ? answer : false;
  });
const namesAre = (reason: string, seconds = 60): Promise<unknown> =>
  until(`Names is ${reason}`, seconds, async () => (await conditionOf(mac, 'Names')).reason === reason);

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid', login: 'person' });
  await install(mac);
}, 240_000);
afterAll(async () => {
  await mac.end();
}, 60_000);

scene(
  'a container answers by its name, and by whatever stands before it; what is not there is denied',
  async () => {
    await openDocker(mac);
    const address = await containerAnswers(mac, 'web');
    await namesAre('Answering');
    await is('web.docker', address, 20);
    expect(await ask('shop.web.docker')).toBe(address);
    expect(await ask('db.docker')).toBe('rcode 3');
    expect(await ask('example.com')).toBe('rcode 5');
    expect((await must(mac, ['/usr/sbin/scutil', '--dns'])).includes(`port     : ${portIn()}`)).toBe(true);
    expect(await must(mac, ['/usr/local/bin/tuntapctl', 'names'])).toContain('container web');
  },
);

scene('who answers is nobody, on a port that only root can have', async () => {
  expect(portIn()).toBeLessThan(600);
  const { stdout } = await mac.run(['/bin/ps', '-ax', '-o', 'pid=,uid=,args=']);
  const line = stdout.split('\n').find((each) => each.includes('names-worker.mjs'));
  expect(line).toMatch(/^ *\d+ +4294967294 /);
});

scene('down takes file and server away, up brings them back', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  expect(existsSync(mac.path(file))).toBe(false);
  await until('the server is gone', 10, async () => {
    const { stdout } = await mac.run(['/bin/ps', '-ax', '-o', 'args=']);
    return !stdout.includes('names-worker.mjs');
  });
  await must(mac, ['/usr/local/bin/tuntapctl', 'up']);
  await namesAre('Answering');
});

scene('somebody else’s file for the same domain stays, and is told', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  mkdirSync(mac.path('/etc/resolver'), { recursive: true });
  writeFileSync(mac.path(file), 'nameserver 127.0.0.1\nport 19322\n');
  await mac.run(['/usr/local/bin/tuntapctl', 'up']);
  await namesAre('FileForeign');
  expect((await statusOf(mac)).phase).toBe('ready');
  expect(readFileSync(mac.path(file), 'utf8')).toBe('nameserver 127.0.0.1\nport 19322\n');
  await must(mac, ['/bin/rm', file]);
  await mac.run(['/usr/local/bin/tuntapctl', 'up']);
  await namesAre('Answering');
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

scene('the daemon is killed and comes back: names answer again', async () => {
  const { pid } = await statusOf(mac);
  await must(mac, ['/bin/kill', '-KILL', String(pid)]);
  await until('another one answers', 60, async () => (await statusOf(mac)).pid !== pid);
  await namesAre('Answering', 90);
  const [address = ''] = await addressesOf('web');
  await is('web.docker', address, 30);
});

const addressesOf = async (name: string): Promise<string[]> => {
  const { names } = await statusOf(mac);
  return [...(names?.names.find((each) => each.name === name)?.addresses ?? [])];
};

scene('nothing of it is left after uninstalling', async () => {
  await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon'], 120_000);
  expect(existsSync(mac.path('/etc/resolver'))).toBe(false);
  const { stdout } = await mac.run(['/bin/ps', '-ax', '-o', 'args=']);
  expect(stdout).not.toContain('names-worker.mjs');
});
