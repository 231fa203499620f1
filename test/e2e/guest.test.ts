import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import {
  answers,
  conditionOf,
  containerAnswers,
  dockerOf,
  engineAnswers,
  explained,
  fetchFromMac,
  install,
  must,
  openDocker,
  statusOf,
} from '../lab/story.js';
import { until } from '../lab/until.js';

let mac: Mac;
const data = '/Users/person/Library/Containers/com.docker.docker/Data';
const mark = '--comment tuntapd ';
const withoutRawRule = `iptables -t raw -D PREROUTING -i eth1 -m comment ${mark}-j ACCEPT`;

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  mkdirSync(mac.path('/etc/tuntapd'), { recursive: true });
  writeFileSync(mac.path('/etc/tuntapd/config.toml'), '[tap]\nmtu = 1380\n');
  await install(mac);
  await openDocker(mac);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

const chapter = (title: string, play: () => Promise<void>): void => {
  test(title, () => explained(mac, play), 300_000);
};

const ready = (): Promise<unknown> =>
  until('everything is ready', 90, async () => (await statusOf(mac)).phase === 'ready');

/** Every rule of every table, as dockerd’s own iptables shows them. */
const rulesInVm = (): Promise<string> =>
  dockerOf(mac).inVm('for t in raw filter; do iptables -t $t -S; done');

const requestsSeen = (): number =>
  readFileSync(mac.path(`${data}/vms/0/console.log`), 'utf8').match(/(?:handling|Calling) [A-Z]+ /g)
    ?.length ?? 0;

chapter(
  'both ends have the MTU that is configured, and one rule of ours stands first in its chain',
  async () => {
    await containerAnswers(mac, 'first');
    await ready();
    expect(await must(mac, ['/sbin/ifconfig', 'tap1'])).toContain('mtu 1380');
    const link = await dockerOf(mac).inVm('ip -color=never addr show dev eth1');
    expect(link).toContain('mtu 1380');
    expect(link).toContain('inet 10.0.75.2/30');
    const rules = (await rulesInVm()).split('\n');
    expect(rules.filter((rule) => rule.includes(mark))).toHaveLength(2);
    for (const chain of ['PREROUTING', 'DOCKER-USER'])
      expect(rules.find((rule) => rule.startsWith(`-A ${chain} `))).toContain(mark);
  },
);

chapter(
  'dockerd is told to reload, and says from now on what it is asked: our rules are made anew',
  async () => {
    await dockerOf(mac).inVm(
      `${withoutRawRule}; mkdir -p /etc/docker && echo '{"debug":true}' >/etc/docker/daemon.json && kill -HUP $(cat /run/docker.pid)`,
    );
    await until('dockerd tells what it is asked', 20, async () => {
      await dockerOf(mac).version();
      return requestsSeen() > 0;
    });
    await until('the rule is back', 40, async () =>
      (await rulesInVm()).includes(`-A PREROUTING -i eth1 -m comment ${mark}`),
    );
    await ready();
  },
);

chapter('idle, with a container running, nothing is asked of the engine in 70 s', async () => {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = requestsSeen();
  await new Promise((resolve) => setTimeout(resolve, 70_000));
  expect(requestsSeen()).toBe(before);
});

chapter('rules that are flushed by hand are missed by nobody but the data path, and come back', async () => {
  await dockerOf(mac).inVm(`iptables -F DOCKER-USER; ${withoutRawRule}`);
  const [address] = /172\.17\.0\.\d+/.exec((await conditionOf(mac, 'DataPath')).message) ?? [];
  if (address === undefined) throw new Error('the data path knows no container');
  await expect(fetchFromMac(mac, address)).rejects.toThrow(/curl/);
  await answers(mac, 'first', address, 110);
  await ready();
});

chapter('dockerd ends inside the VM and is started again: a container is reached', async () => {
  await dockerOf(mac)
    .inVm('kill $(cat /run/docker.pid)')
    .catch(() => undefined);
  await engineAnswers(mac);
  await containerAnswers(mac, 'after-restart');
});

chapter('down leaves no rule, no address, no image name and no container of ours in the VM', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  expect(await rulesInVm()).not.toContain('tuntapd');
  expect(await dockerOf(mac).inVm('ip addr show')).not.toContain('10.0.75.');
  expect((await dockerOf(mac).images()).filter((name) => name.includes('tuntapd'))).toEqual([]);
  const ours = (await dockerOf(mac).containers()).filter(({ labels }) => 'io.github.tuntapd' in labels);
  expect(ours).toEqual([]);
});
