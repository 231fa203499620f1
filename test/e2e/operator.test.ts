/** What a person types who looks for a container, or for why it cannot be reached; and an engine that has no image. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { agentImage } from '../../daemon/guest/agent/image.js';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { restartDockerd } from './lib/dockerd.js';
import {
  answers,
  conditionOf,
  dockerOf,
  engineAnswers,
  fetchFromMac,
  install,
  logOf,
  openDocker,
  phaseIs,
  pingFromMac,
  statusOf,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

const program = readFileSync(join(import.meta.dirname, '../../daemon/guest/agent/amd64.agent'));
const [inDockersStore, inContainerdsStore] = agentImage(program, 'amd64').ids;

let mac: Mac;

const tuntapctl = (...words: readonly string[]) => mac.asUser(['/usr/local/bin/tuntapctl', ...words]);

/** What it prints once that shows what is wanted, for those things that come a moment later. */
const once = (what: string, wanted: RegExp, ...words: readonly string[]): Promise<string> =>
  until(what, 90, async () => {
    const { stdout } = await tuntapctl(...words);
    return wanted.test(stdout) && stdout;
  });

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  mkdirSync(mac.path('/etc/tuntapd'), { recursive: true });
  writeFileSync(mac.path('/etc/tuntapd/config.toml'), '[guest]\nmanage = false\n');
  await install(mac);
  await openDocker(mac);
  await engineAnswers(mac);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

const chapter = chaptersOn(() => mac);

let address: string;

chapter(
  'with the VM left to its operator no container is reached: that is really tuntapd’s work',
  async () => {
    address = await until('the container starts', 60, () => dockerOf(mac).serve('web'));
    const end = Date.now() + 15_000;
    while (Date.now() < end) await expect(fetchFromMac(mac, address)).rejects.toThrow(/curl/);
    expect(
      (await mac.run(['/usr/local/bin/tuntapctl', 'config', 'set', 'guest.manage', 'true'])).exitCode,
    ).toBe(0);
    await answers(mac, 'web', address, 120);
  },
);

chapter('status has what to type into a browser: each container with its address, by project', async () => {
  const docker = dockerOf(mac);
  await docker.createNetwork('shop_default', '172.30.0.0/24');
  const labels = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'db' };
  const db = await docker.serve('shop-db-1', 'shop_default', { labels });
  const status = await once('both are told', /^ready: [^]*shop_default +\S+ +routed[^]*shop-db-1/, 'status');
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
    90,
    async () => !(await tuntapctl('status')).stdout.includes('shop-db-1'),
  );
});

chapter('ping goes all the way, and says where it ends when a firewall in the VM is in the way', async () => {
  const goesAllTheWay = (): Promise<unknown> =>
    until('ping goes all the way', 90, async () => {
      const { exitCode, stdout } = await tuntapctl('ping', 'web');
      return exitCode === 0 && /^ok container[^]*ok firewall/.test(stdout);
    });
  await goesAllTheWay();
  const docker = dockerOf(mac);
  await docker.inVm('iptables -t raw -I PREROUTING 1 -i eth1 -d 172.17.0.0/16 -j DROP');
  const { exitCode, stdout } = await tuntapctl('ping', 'web');
  await docker.inVm('iptables -t raw -D PREROUTING -i eth1 -d 172.17.0.0/16 -j DROP');
  expect([exitCode, stdout]).toEqual([1, expect.stringMatching(/ok VM[^]*FAIL firewall +the VM answers/)]);
  await goesAllTheWay();
});

chapter(
  'the VM is set up also where the engine has no image: in its own store, and in containerd’s',
  async () => {
    const docker = dockerOf(mac);
    const reports = (): number => logOf(mac, 'the helper container reported').length;
    await phaseIs(mac, 'ready', 90);
    expect(await docker.store()).toBe('docker');
    expect(await docker.imageIds()).toContain(inDockersStore);

    // The other store knows none of the images of the first one.
    const before = reports();
    await restartDockerd(mac, {
      begun: `mkdir -p /etc/docker; echo '{"features":{"containerd-snapshotter":true}}' >/etc/docker/daemon.json`,
    });
    await until('dockerd has the other store', 120, async () => (await docker.store()) === 'containerd');
    await until(
      'the VM is set up anew',
      120,
      async () => reports() > before && (await statusOf(mac)).phase === 'ready',
    );
    expect(await docker.imageIds()).toEqual([inContainerdsStore]);
    expect((await conditionOf(mac, 'Guest')).status).toBe('True');
    expect(await pingFromMac(mac, '10.0.75.2')).toBe(true);

    expect((await tuntapctl('down')).exitCode).toBe(0);
    expect([await docker.imageIds(), await docker.containers()]).toEqual([[], []]);
    expect(await pingFromMac(mac, '10.0.75.2')).toBe(false);
  },
);
