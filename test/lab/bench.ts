/**
 * How long tuntapd takes and what it costs, on a lab Mac with a real VM: `make bench`. Numbers to compare within one
 * run; no test passes or fails by them.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { bootMac, type Mac } from './lab.js';
import { answers, dockerOf, engineAnswers, install, must, openDocker, quitDocker } from './story.js';
import { until } from './until.js';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sid' },
    networks: { type: 'string', default: '500' },
    idle: { type: 'string', default: '300' },
  },
});

const say = (line: string): void => {
  console.log(line);
};
const since = (began: number): number => (performance.now() - began) / 1000;
const seconds = (value: number): string => `${value.toFixed(2)} s`;
const quantile = (numbers: readonly number[], share: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? NaN;

/** Linux's own table of the Mac's namespace: reading it costs next to nothing, unlike a command in the lab. */
const isRouted = (mac: Mac, subnet: string): boolean => {
  const [address = '', prefix = ''] = subnet.split('/');
  const bytes = (address.split('.').map(Number) as [number, number, number, number]).toReversed();
  const destination = bytes
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
  const mask = (0xffffffff << (32 - Number(prefix))) >>> 0;
  const maskText = Buffer.from([mask & 255, (mask >>> 8) & 255, (mask >>> 16) & 255, mask >>> 24])
    .toString('hex')
    .toUpperCase();
  return readFileSync(`/proc/${mac.pid}/net/route`, 'utf8')
    .split('\n')
    .some((row) => {
      const columns = row.split('\t');
      return columns[0] === 'tap1' && columns[1] === destination && columns[7] === maskText;
    });
};

const routed = (mac: Mac, subnets: readonly string[], patience = 120): Promise<unknown> =>
  until(`routes of ${subnets.length} networks`, patience, () =>
    Promise.resolve(subnets.every((subnet) => isRouted(mac, subnet))),
  );

const subnetOf = (index: number): string => `10.${100 + (index >> 8)}.${index & 255}.0/24`;

async function newVm(mac: Mac): Promise<void> {
  await openDocker(mac);
  await engineAnswers(mac);
  const began = performance.now();
  const address = await dockerOf(mac).serve('first');
  await answers(mac, 'first', address, 120);
  say(`engine's first answer → container's first HTTP answer   ${seconds(since(began))}`);
}

/** The two `docker run` by hand of docker-tuntap-osx's up script: address, then firewall rule. */
async function byHand(mac: Mac): Promise<void> {
  const docker = dockerOf(mac);
  const began = performance.now();
  await docker.inVm('ip addr show dev eth1 >/dev/null && ip link set eth1 up');
  await docker.inVm('iptables -C FORWARD -i eth1 -j ACCEPT 2>/dev/null; true');
  say(`the same by hand, two docker runs of an up script       ${seconds(since(began))}`);
}

async function newNetworks(mac: Mac, from: number, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = from; index < from + count; index += 1) {
    await dockerOf(mac).createNetwork(`bench-${index}`, subnetOf(index));
    const began = performance.now();
    await routed(mac, [subnetOf(index)]);
    times.push(since(began));
  }
  return times;
}

const spread = (times: readonly number[]): string =>
  `p50 ${seconds(quantile(times, 0.5))}, p95 ${seconds(quantile(times, 0.95))}`;

/** With hundreds of networks the command may stop waiting before the daemon is done. */
const command = (mac: Mac, word: string): Promise<unknown> =>
  mac.run(['/usr/local/bin/tuntapctl', word], { timeout: 150_000 });

async function reconcile(mac: Mac): Promise<void> {
  let made = 50;
  for (const networks of [50, 100, Number(values.networks)]) {
    while (made < networks) {
      await dockerOf(mac).createNetwork(`bench-${made}`, subnetOf(made));
      made += 1;
    }
    const subnets = Array.from({ length: networks }, (_, index) => subnetOf(index));
    await routed(mac, subnets);
    await command(mac, 'down');
    await until('no route of ours', 600, () =>
      Promise.resolve(subnets.every((subnet) => !isRouted(mac, subnet))),
    );
    const began = performance.now();
    await command(mac, 'up');
    await routed(mac, subnets, 600);
    const up = since(began);
    const more = await newNetworks(mac, made, 5);
    made += 5;
    say(
      `${String(networks).padStart(3)} networks: up after down ${seconds(up)}; one more network ${spread(more)}`,
    );
  }
}

async function idle(mac: Mac, duration: number): Promise<void> {
  const { pid } = JSON.parse(await must(mac, ['/usr/local/bin/tuntapctl', 'status', '--json'])) as {
    pid: number;
  };
  const look = (): { ticks: number; kilobytes: number } => {
    const proc = mac.path(`/proc/${pid}`);
    const stat = readFileSync(`${proc}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .map(Number);
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1];
    // utime, stime and those of the children it has waited for.
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + (stat[index] ?? 0), 0);
    return { ticks, kilobytes: Number(rss) };
  };
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const before = look();
  await new Promise((resolve) => setTimeout(resolve, duration * 1000));
  const after = look();
  const cpu = (after.ticks - before.ticks) / 100;
  say(
    `idle daemon over ${duration} s: RSS ${Math.round(after.kilobytes / 1024)} MB, ` +
      `CPU with its commands ${seconds(cpu)} (${((100 * cpu) / duration).toFixed(2)} %)`,
  );
}

const mac = await bootMac({
  engine: values.engine as 'sid',
  progress: (line) => {
    say(`  ${line}`);
  },
});
try {
  await install(mac);
  await newVm(mac);
  await byHand(mac);
  await idle(mac, Number(values.idle));
  const times = await newNetworks(mac, 0, 50);
  say(`docker network create → its route, 50 times: ${spread(times)}`);
  await reconcile(mac);
  await quitDocker(mac);
} finally {
  await mac.end();
}
