import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { endDockerd, later, reload, restartDockerd } from './lib/dockerd.js';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { mended, printedAs } from './lib/doctor.js';
import {
  answers,
  conditionOf,
  containerAnswers,
  dockerOf,
  dockersPid,
  engineAnswers,
  fetchFromMac,
  helperIsGone,
  install,
  logOf,
  must,
  openDocker,
  ourContainers,
  phaseIs,
  pingFromMac,
  routedToTheVm,
  routesTold,
  sleepThrough,
  statusOf,
  vmPid,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;
const mark = '--comment tuntapd ';
const withoutRawRule = `iptables -t raw -D PREROUTING -i eth1 -m comment ${mark}-j ACCEPT`;
const withoutAnyRule = `iptables -F DOCKER-USER; ${withoutRawRule}`;

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

const chapter = chaptersOn(() => mac);

const ready = (): Promise<unknown> => phaseIs(mac, 'ready', 90);

/** Every rule of every table, as dockerd’s own iptables shows them. */
const rulesInVm = (): Promise<string> =>
  dockerOf(mac).inVm('for t in raw filter; do iptables -t $t -S; done');

/** What is said of each subnet. */
const told = async (): Promise<ReadonlyMap<string, string>> =>
  new Map((await routesTold(mac)).map(({ subnet, state, why }) => [subnet, `${state}: ${why}`]));

const helpersReports = (): number => logOf(mac, 'the helper container reported').length;

/** Docker’s plugin protocol (docs/extend/plugins_authorization.md): refuses containers on the host’s network. */
const officePolicy = `
use IO::Socket::UNIX;
mkdir '/run/docker/plugins';
my $office = IO::Socket::UNIX->new(Local => '/run/docker/plugins/office.sock', Listen => 9) or die;
while (my $asks = $office->accept) {
  my ($size, $head, $body) = (0, scalar <$asks>, '');
  while ((my $line = <$asks>) =~ /\\S/) { $size = $1 if $line =~ /^content-length: (\\d+)/i }
  read $asks, $body, $size;
  my ($sent) = $body =~ /"RequestBody":"([^"]*)"/;
  $sent =~ tr{A-Za-z0-9+/=}{ -_}d;
  $sent = join '', map { unpack 'u', chr(32 + length($_) * 3 / 4) . $_ } $sent =~ /(.{1,60})/g;
  my $says = $head =~ /Activate/ ? '{"Implements":["authz"]}'
    : $head =~ /AuthZReq/ && $sent =~ /"NetworkMode":"host"/ ? '{"Allow":false,"Msg":"no host network in this office"}'
    : '{"Allow":true}';
  print $asks "HTTP/1.0 200 OK\\r\\nContent-Length: " . length($says) . "\\r\\n\\r\\n$says";
  close $asks;
}`;

chapter('both ends have the MTU that is configured, and our rules stand first in their chains', async () => {
  const address = await containerAnswers(mac, 'first');
  await ready();
  // It reports when it has ended, which is after the path is open.
  await until('the helper has reported', 60, () => Promise.resolve(helpersReports() > 0));
  // Once a session, and once more for what fell silent: on a busy machine something may.
  expect(helpersReports()).toBeLessThanOrEqual(logOf(mac, 'prepare-guest: ').length);
  const begun = logOf(mac, 'prepare-guest: the VM has not been set up').map(({ message }) => message);
  expect(begun).toEqual([...new Set(begun)]);
  const seen = await mac.asUser(['/usr/local/bin/tuntapctl', 'status']);
  expect(seen).toMatchObject({ exitCode: 0, stderr: '' });
  const size = ['--output', '/dev/null', '--write-out', '%{size_download}'];
  expect(await must(mac, ['/usr/bin/curl', '--silent', ...size, `http://${address}/large`])).toBe('1000000');
  expect(await must(mac, ['/sbin/ifconfig', 'tap1'])).toContain('mtu 1380');
  const link = await dockerOf(mac).inVm('ip -color=never addr show dev eth1');
  expect(link).toContain('mtu 1380');
  expect(link).toContain('inet 10.0.75.2/30');
  const rules = (await rulesInVm()).split('\n');
  expect(rules.filter((rule) => rule.includes(mark))).toEqual([
    `-A PREROUTING -i eth1 -m comment ${mark}-j ACCEPT`,
    `-A DOCKER-USER -i eth1 -o eth0 -m comment ${mark}-j DROP`,
    `-A DOCKER-USER -i eth1 -m comment ${mark}-j ACCEPT`,
  ]);
  for (const chain of ['PREROUTING', 'DOCKER-USER'])
    expect(rules.find((rule) => rule.startsWith(`-A ${chain} `))).toContain(mark);
});

chapter('a network of every kind: a bridge is routed, each of the others says why it is not', async () => {
  const docker = dockerOf(mac);
  await docker.createNetwork('both', ['172.31.1.0/24', 'fd00:31::/64'], { labels: { team: 'shop' } });
  await docker.createNetwork('lan', ['172.31.2.0/24', '172.31.3.0/24'], { driver: 'macvlan' });
  await docker.createNetwork('lan3', '172.31.4.0/24', { driver: 'ipvlan', options: { ipvlan_mode: 'l3' } });
  await docker.createNetwork('closed', '172.31.5.0/24', { internal: true });
  await docker.createNetwork('public', '8.8.8.0/24');
  await until('all are told of', 120, async () => {
    expect(Object.fromEntries(await told())).toMatchObject({
      '172.17.0.0/16': expect.stringMatching(/^routed: /),
      '172.31.1.0/24': expect.stringMatching(/^routed: /),
      'fd00:31::/64': expect.stringMatching(/^routed: /),
      '172.31.2.0/24': expect.stringMatching(/^refused: macvlan /),
      '172.31.3.0/24': expect.stringMatching(/^refused: macvlan /),
      '172.31.4.0/24': expect.stringMatching(/^refused: ipvlan \(l3\) /),
      '172.31.5.0/24': expect.stringMatching(/^refused: it is internal/),
      '8.8.8.0/24': expect.stringMatching(/^refused: /),
    });
  });
  await containerAnswers(mac, 'on-both', 'both');
  expect(await routedToTheVm(mac)).toEqual(['172.17', '172.31.1/24']);
});

chapter('a swarm: its overlay networks are not routed, the bridge that it makes on this VM is', async () => {
  const docker = dockerOf(mac);
  await docker.beginSwarm();
  await docker.createNetwork('stack', '172.31.6.0/24', { driver: 'overlay', attachable: true });
  await docker.serve('in-the-swarm', 'stack');
  await until('all are told of', 90, async () => {
    const routes = await routesTold(mac);
    const of = (name: string) => routes.find(({ network }) => network === name);
    const overlay = { state: 'refused', why: expect.stringMatching(/^an overlay/) };
    expect(of('ingress')).toMatchObject(overlay);
    expect(of('stack')).toMatchObject({ ...overlay, subnet: '172.31.6.0/24' });
    expect(of('docker_gwbridge')).toMatchObject({ state: 'routed' });
  });
  await docker.remove('in-the-swarm');
  await docker.leaveSwarm();
  // dockerd waits no longer than five seconds for the sandbox of its ingress.
  await until('docker_gwbridge can go', 60, () => docker.removeNetwork('docker_gwbridge'));
  await until('only what was there is routed', 90, async () => {
    expect(await routedToTheVm(mac)).toEqual(['172.17', '172.31.1/24']);
  });
});

chapter(
  'a pair that the VM itself uses is found before anything is set there: blocked, until it is moved',
  async () => {
    const link = (address: string, peer: string): Promise<string> =>
      must(mac, ['/usr/local/bin/tuntapctl', 'config', 'set', 'tap.address', address, 'tap.peer', peer]);
    await link('10.0.2.9', '10.0.2.10');
    await phaseIs(mac, 'blocked', 150);
    expect(await conditionOf(mac, 'Guest')).toMatchObject({
      reason: 'LinkCollision',
      message: expect.stringMatching(
        /the VM itself has 10\.0\.2\.0\/24 dev eth0, .* set tap\.address and tap\.peer/,
      ),
    });
    expect(await dockerOf(mac).inVm('ip addr show dev eth1')).not.toContain('10.0.2.10');
    await link('10.0.75.1', '10.0.75.2');
    await answers(mac, 'first', '172.17.0.2', 150);
    await ready();
  },
);

chapter('a network that is excluded loses its route, and gets it again when it is no longer', async () => {
  const exclude = (list: string): Promise<string> =>
    must(mac, ['/usr/local/bin/tuntapctl', 'config', 'set', 'routes.exclude', list]);
  await exclude('["label=team=shop"]');
  await until('the exclusion is told of', 90, async () =>
    ((await told()).get('172.31.1.0/24') ?? '').includes('routes.exclude has "label=team=shop"'),
  );
  // What is to be is told before it is so.
  await until('only the other route is left', 90, async () => String(await routedToTheVm(mac)) === '172.17');
  await exclude('[]');
  await answers(mac, 'on-both', '172.31.1.2', 90);
  await ready();
});

chapter(
  'a network whose bridge has no address in the VM is refused, and what is sent there all the same goes round nowhere',
  async () => {
    const docker = dockerOf(mac);
    const leaving = async (): Promise<number> =>
      Number((await docker.inVm('iptables -t mangle -L POSTROUTING 1 -n -v -x')).trim().split(/\s+/)[0]);
    await docker.createNetwork('lan-segment', '172.31.8.0/24', {
      options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
    });
    await until('it is told of', 90, async () =>
      ((await told()).get('172.31.8.0/24') ?? '').includes('inhibit_ipv4'),
    );
    expect(await routedToTheVm(mac)).not.toContain('172.31.8/24');
    // What would leave the VM by its way out, if it were let out: with the rule of ours gone it is.
    await docker.inVm('iptables -t mangle -I POSTROUTING -d 172.31.8.5 -o eth0 -j ACCEPT');
    await must(mac, ['/sbin/route', '-n', 'add', '-net', '172.31.8.0/24', '10.0.75.2']);
    expect(await pingFromMac(mac, '172.31.8.5')).toBe(false);
    expect(await leaving()).toBe(0);
    await docker.inVm(`iptables -D DOCKER-USER -i eth1 -o eth0 -m comment ${mark}-j DROP`);
    expect(await pingFromMac(mac, '172.31.8.5')).toBe(false);
    expect(await leaving()).toBeGreaterThan(0);
    await must(mac, ['/sbin/route', '-n', 'delete', '-net', '172.31.8.0/24']);
    await docker.inVm('iptables -t mangle -D POSTROUTING 1');
    await docker.removeNetwork('lan-segment');
    await reload(mac, { debug: false });
    await until('the way out is closed again', 90, async () =>
      (await rulesInVm()).includes(`-A DOCKER-USER -i eth1 -o eth0 -m comment ${mark}-j DROP`),
    );
    await ready();
  },
);

chapter(
  'routes.extra: a service and a pod of a Kubernetes in the VM answer, as long as it is listed',
  async () => {
    const extra = (list: string): Promise<string> =>
      must(mac, ['/usr/local/bin/tuntapctl', 'config', 'set', 'routes.extra', list]);
    // What kube-proxy and a network plugin make: a bridge with pods, and an address that leads to one of them.
    const service = '-d 10.96.0.10 -p icmp -j DNAT --to-destination 10.1.0.8';
    await dockerOf(mac).inVm(
      `ip link add cni0 type bridge; ip link set cni0 up; ip addr add 10.1.0.1/16 dev cni0
ip netns add pod; ip link add pods type veth peer name eth0 netns pod; ip link set pods master cni0 up
ip netns exec pod sh -c 'ip addr add 10.1.0.8/16 dev eth0; ip link set eth0 up; ip route add default via 10.1.0.1'
iptables -I FORWARD -i cni0 -j ACCEPT; iptables -t nat -I PREROUTING ${service}`,
    );
    await extra('["10.96.0.0/12", "10.1.0.0/16"]');
    await until('the service answers', 90, () => pingFromMac(mac, '10.96.0.10'));
    await until('the pod answers', 90, () => pingFromMac(mac, '10.1.0.8'));
    // The first packets arrive before the pass that added the routes has looked at the table again.
    await until('both are told of', 90, async () => {
      expect(await routesTold(mac)).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ subnet: '10.96.0.0/12', network: 'routes.extra', state: 'routed' }),
          expect.objectContaining({ subnet: '10.1.0.0/16', network: 'routes.extra', state: 'routed' }),
        ]),
      );
    });
    await extra('[]');
    await until(
      'no longer',
      90,
      async () => !(await routedToTheVm(mac)).some((way) => way.startsWith('10.')),
    );
    await dockerOf(mac).inVm(
      `ip link del cni0; ip netns del pod; iptables -D FORWARD -i cni0 -j ACCEPT; iptables -t nat -D PREROUTING ${service}`,
    );
    await ready();
  },
);

chapter('dockerd is told to read its settings again: our rules are made anew', async () => {
  await dockerOf(mac).inVm(withoutRawRule);
  await reload(mac, { debug: true });
  await until('the rule is back', 90, async () =>
    (await rulesInVm()).includes(`-A PREROUTING -i eth1 -m comment ${mark}`),
  );
  await ready();
});

chapter(
  'an authorisation plugin forbids our container: blocked, in its own words; when it is gone all is well again',
  async () => {
    await dockerOf(mac).inVm(
      `cat >/run/office.pl <<'PERL'
${officePolicy}
PERL
${later('perl /run/office.pl')}
until [ -S /run/docker/plugins/office.sock ]; do sleep 0.1; done`,
    );
    await reload(mac, { 'authorization-plugins': ['office'] });
    await phaseIs(mac, 'blocked', 90);
    for (const type of ['Guest', 'Ready'])
      expect(await conditionOf(mac, type)).toMatchObject({
        status: 'False',
        reason: 'HelperForbidden',
        message: expect.stringMatching(
          /authorization denied by plugin office: no host network in this office/,
        ),
      });
    await mended(mac, 'TT108', { says: /^Allow that container\n/, done: () => reload(mac, {}) });
    await ready();
  },
);

chapter('rules that are flushed by hand are missed by nobody but the data path, and come back', async () => {
  const before = helpersReports();
  const address = await until(
    'the data path knows a container',
    90,
    async () => /172\.17\.0\.\d+/.exec((await conditionOf(mac, 'DataPath')).message)?.[0] ?? false,
  );
  await dockerOf(mac).inVm(withoutAnyRule);
  await expect(fetchFromMac(mac, address)).rejects.toThrow(/curl/);
  await answers(mac, 'first', address, 180);
  await until('the helper has reported', 60, () => Promise.resolve(helpersReports() > before));
  await ready();
});

chapter(
  'the VM forwards nothing although every table looks right: that has a name of its own, and is over when it does',
  async () => {
    const docker = dockerOf(mac);
    const forward = (value: 0 | 1): Promise<string> =>
      docker.inVm(`echo ${value} >/proc/sys/net/ipv4/conf/eth1/forwarding`);
    await forward(0);
    await docker.createNetwork('unheard', '172.31.7.0/24');
    await until('it is said', 60, async () => {
      expect(await conditionOf(mac, 'DataPath')).toMatchObject({ status: 'False', reason: 'NothingAnswers' });
      for (const type of ['TapAddress', 'Guest', 'Routes'])
        expect(await conditionOf(mac, type)).toMatchObject({ status: 'True' });
    });
    expect((await mac.run(['/usr/local/bin/tuntapctl', 'status'])).exitCode).toBe(4);
    await until('doctor does not know of containers alone', 60, async () => {
      expect((await printedAs('?', mac)).map(({ code }) => code)).toEqual(['TT016']);
    });
    await docker.removeNetwork('unheard');
    await mended(mac, 'TT111', {
      says: /^Have the packet filter pass traffic on `tap1`$/m,
      done: () => forward(1),
    });
    await ready();
    await until('nothing is unclear', 60, async () => (await printedAs('?', mac)).length === 0);
    await answers(mac, 'first', '172.17.0.2', 60);
  },
);

chapter('after a sleep that nothing of the link outlived, all of it is made anew at once', async () => {
  await sleepThrough(mac, {
    meanwhile: async () => {
      await must(mac, ['/sbin/route', '-n', 'delete', '-net', '172.17.0.0/16']);
      await must(mac, ['/sbin/ifconfig', 'tap1', 'inet', '10.0.75.1', 'delete']);
      await dockerOf(mac).inVm(`${withoutAnyRule}; ip addr flush dev eth1`);
    },
    awake: async () => {
      await answers(mac, 'first', '172.17.0.2', 120);
      await ready();
    },
  });
});

chapter(
  'dockerd ends inside the VM and is started again; the rules go before any container is there: one is reached',
  async () => {
    await restartDockerd(mac);
    await engineAnswers(mac);
    await ready();
    await dockerOf(mac).inVm(withoutAnyRule);
    const address = await dockerOf(mac).serve('after-restart');
    // It may answer once before Docker's own rule for it is there: that it no longer does is seen a minute later.
    await answers(mac, 'after-restart', address, 180);
  },
);

chapter(
  'somebody else’s socket in place of Docker’s is not spoken to, and status says whose it is',
  async () => {
    const place = mac.path('/Users/person/.docker/run/docker.sock');
    await endDockerd(mac);
    renameSync(place, `${place}.kept`);
    let callers = 0;
    const root = createServer(() => (callers += 1));
    await new Promise<void>((resolve) => root.listen(place, resolve));
    await until('it is said', 90, async () => {
      const { status, reason, message } = await conditionOf(mac, 'Engine');
      expect({ status, reason }).toEqual({ status: 'Unknown', reason: 'SocketForeign' });
      expect(message).toContain(
        'docker.sock belongs to uid 0, not to the user in front of the Mac (uid 501)',
      );
    });
    expect(callers).toBe(0);
    await mended(mac, 'TT107', {
      says: /^Quit the other user’s Docker Desktop/,
      done: async () => {
        root.close();
        renameSync(`${place}.kept`, place);
        await ready();
      },
    });
  },
);

chapter(
  'when the monitor of the routes is killed, what changes before the next one is there is seen',
  async () => {
    const monitors = async (): Promise<string[]> =>
      (await must(mac, ['/bin/ps', '-axo', 'pid=,args=']))
        .split('\n')
        .flatMap((line) =>
          line.includes('/sbin/route -n monitor') ? [line.trim().split(' ')[0] ?? ''] : [],
        );
    await ready();
    const [monitor = ''] = await monitors();
    await must(mac, [
      '/bin/sh',
      '-c',
      `/bin/kill -KILL ${monitor} && /sbin/route -n delete -net 172.17.0.0/16`,
    ]);
    await until('the route is back', 45, async () => (await routedToTheVm(mac)).includes('172.17'));
    await until('there is one other monitor', 45, async () => {
      const now = await monitors();
      return now.length === 1 && now[0] !== monitor;
    });
  },
);

chapter('what a killed daemon left running in the VM is gone once the next one is there', async () => {
  await helperIsGone(mac);
  // It has no address, which is why serving is said to fail.
  await dockerOf(mac)
    .serve('tuntapd-helper', 'none', { labels: { 'io.github.tuntapd': 'helper' } })
    .catch(() => undefined);
  expect(await ourContainers(mac)).toHaveLength(1);
  const { pid } = await statusOf(mac);
  await must(mac, ['/bin/kill', '-KILL', String(pid)]);
  await until('nothing of ours is left', 120, async () => (await ourContainers(mac)).length === 0);
  await ready();
});

chapter(
  'dockerd uses iptables-legacy from now on: so do we, and nothing of ours is left in the other one',
  async () => {
    await restartDockerd(mac, {
      begun: 'update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null',
      between:
        'for t in raw nat filter; do iptables-nft -t $t -F; iptables-nft -t $t -X; done; iptables-nft -P FORWARD ACCEPT',
    });
    const rulesOf = (flavour: string): Promise<string> =>
      dockerOf(mac).inVm(`for t in raw filter; do iptables-${flavour} -t $t -S; done`);
    await until('our rule is in the tables of iptables-legacy', 90, async () =>
      (await rulesOf('legacy').catch(() => '')).includes(`-A DOCKER-USER -i eth1 -m comment ${mark}`),
    );
    await ready();
    await containerAnswers(mac, 'by-legacy');
    expect(await rulesOf('nft')).not.toContain('tuntapd');
  },
);

chapter(
  'Resource Saver: while the VM is off nobody knocks at Docker’s socket, and when it is woken containers answer',
  async () => {
    const isOff = (): boolean => !existsSync(mac.path(vmPid));
    // Docker saves only after minutes of rest; of a container that has just ended the daemon still asks.
    await helperIsGone(mac);
    await pause(15_000);
    await must(mac, ['/bin/kill', '-USR1', String(dockersPid(mac))]);
    await until('the VM is off', 90, () => Promise.resolve(isOff()));
    await phaseIs(mac, 'idle', 90);
    await must(mac, ['/usr/local/bin/tuntapctl', 'status']);
    await must(mac, ['/usr/local/bin/tuntapctl', 'doctor']);
    // Longer than the daemon's longest pause between two looks.
    await pause(70_000);
    expect(isOff()).toBe(true);
    await containerAnswers(mac, 'woken');
    await ready();
  },
);

chapter('down leaves no rule, no address, no image name and no container of ours in the VM', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  expect(await rulesInVm()).not.toContain('tuntapd');
  expect(await dockerOf(mac).inVm('ip addr show')).not.toContain('10.0.75.');
  expect((await dockerOf(mac).images()).filter((name) => name.includes('tuntapd'))).toEqual([]);
  expect(await ourContainers(mac)).toEqual([]);
});
