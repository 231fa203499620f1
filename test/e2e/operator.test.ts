/** What a person types who looks for a container, or for why it cannot be reached. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import {
  containerAnswers,
  dockerOf,
  engineAnswers,
  explained,
  install,
  openDocker,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;

const tuntapctl = (...words: readonly string[]) => mac.asUser(['/usr/local/bin/tuntapctl', ...words]);

/** What it prints once that shows what is wanted, for those things that come a moment later. */
const once = (what: string, wanted: RegExp, ...words: readonly string[]): Promise<string> =>
  until(what, 30, async () => {
    const { stdout } = await tuntapctl(...words);
    return wanted.test(stdout) && stdout;
  });

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  await install(mac);
  await openDocker(mac);
  await engineAnswers(mac);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

const chapter = (title: string, play: () => Promise<void>): void => {
  test(title, () => explained(mac, play), 300_000);
};

chapter('status has what to type into a browser: each container with its address, by project', async () => {
  const docker = dockerOf(mac);
  const address = await containerAnswers(mac, 'web');
  await docker.createNetwork('shop_default', '172.30.0.0/24');
  const labels = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'db' };
  const db = await docker.serve('shop-db-1', 'shop_default', { labels });
  const status = await once('both are told', /shop-db-1[^]*/, 'status');
  expect(status).toMatch(/^ready: containers answer on their own addresses/);
  expect(status).toMatch(new RegExp(`bridge +172\\.17\\.0\\.0/16 +routed\\n +web +${address}`));
  expect(status).toMatch(
    new RegExp(`shop_default +172\\.30\\.0\\.0/24 +routed +compose shop\\n +shop-db-1 +${db}`),
  );
  expect(status).toMatch(/Link +tap1 \(HyperKit’s tap\), 10\.0\.75\.1 <-> 10\.0\.75\.2/);
  expect(status).toMatch(/^Not routed: host, none\. /m);
  await docker.remove('shop-db-1');
  await until(
    'it is told no more',
    30,
    async () => !(await tuntapctl('status')).stdout.includes('shop-db-1'),
  );
});

chapter('ping goes all the way, and says where it ends when a firewall in the VM is in the way', async () => {
  expect(await tuntapctl('ping', 'web')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^ok container[^]*ok firewall/) as unknown,
  });
  const docker = dockerOf(mac);
  await docker.inVm('iptables -t raw -I PREROUTING 1 -i eth1 -d 172.17.0.0/16 -j DROP');
  const { exitCode, stdout } = await tuntapctl('ping', 'web');
  await docker.inVm('iptables -t raw -D PREROUTING -i eth1 -d 172.17.0.0/16 -j DROP');
  expect([exitCode, stdout]).toEqual([1, expect.stringMatching(/ok VM[^]*FAIL firewall +the VM answers/)]);
  expect((await tuntapctl('ping', 'web')).exitCode).toBe(0);
});
