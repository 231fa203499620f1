/**
 * How long tuntapd takes and what it costs, on a lab Mac with a real VM: `make bench`. Numbers to compare within one
 * run; no test passes or fails by them.
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bootMac, type Mac } from '../lab/lab.js';
import { text6 } from '../lab/mac/xnu/inet6.js';
import { firstFound } from './lib/first-found.js';
import { dockerOf, install, logOf, must, openDocker, quitDocker, statusOf } from './lib/vocabulary.js';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sid' },
    networks: { type: 'string', default: '500' },
    idle: { type: 'string', default: '300' },
    /** Every network has IPv6 too, from Docker's second start on. */
    inet6: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => {
  console.log(line);
};
const since = (began: number): number => (performance.now() - began) / 1000;
const seconds = (value: number): string => `${value.toFixed(2)} s`;
const quantile = (numbers: readonly number[], share: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? NaN;
const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');

/** A line of the report; the target, in seconds, stands beside the figure that it is for. */
function report(what: string, figure: string, target?: number): void {
  const aim = target === undefined ? '' : `   (target <= ${target} s)`;
  say(`${what.padEnd(58)} ${figure}${aim}`);
}

/** Looks every few ms; rejects after `patience` seconds. */
async function watch(what: string, patience: number, look: () => boolean): Promise<void> {
  const began = performance.now();
  while (!look()) {
    if (since(began) > patience) throw new Error(`${what}: not within ${patience} s`);
    await pause(5);
  }
}

const dotted = (hexadecimal: string): string => Buffer.from(hexadecimal, 'hex').toReversed().join('.');
const prefixOf = (mask: string): number =>
  mask.replace(/./g, (digit) => Number(`0x${digit}`).toString(2)).replaceAll('0', '').length;

/** What leads to tap1 by Linux's own table of the Mac's namespace: unlike a command in the lab it costs next to nothing. */
const routedNow = (mac: Mac): ReadonlySet<string> =>
  new Set([
    ...readFileSync(`/proc/${mac.pid}/net/route`, 'utf8')
      .split('\n')
      .map((row) => row.split('\t'))
      .flatMap(([name, destination = '', , , , , , mask = '']) =>
        name === 'tap1' ? [`${dotted(destination)}/${prefixOf(mask)}`] : [],
      ),
    ...readFileSync(`/proc/${mac.pid}/net/ipv6_route`, 'utf8')
      .split('\n')
      .map((row) => row.trim().split(/\s+/))
      .flatMap(([destination = '', prefix = '', , , , , , , , name]) =>
        name === 'tap1' ? [`${text6(BigInt(`0x${destination}`))}/${Number(`0x${prefix}`)}`] : [],
      ),
  ]);

const routed = (mac: Mac, subnets: readonly string[], patience = 120): Promise<void> =>
  watch(`routes of ${subnets.length} networks`, patience, () => {
    const now = routedNow(mac);
    return subnets.every((subnet) => now.has(subnet));
  });

const subnetsOf = (index: number): readonly string[] => [
  `10.${100 + (index >> 8)}.${index & 255}.0/24`,
  ...(values.inet6 ? [`fd00:be:${(index + 1).toString(16)}::/64`] : []),
];

/** The engine's settings: what `more` says, and IPv6 on the default bridge where it is wanted. */
const daemonJson = (more: object): string =>
  JSON.stringify({ ...(values.inet6 ? { ipv6: true, 'fixed-cidr-v6': 'fd00:d0c::/64' } : {}), ...more });

interface HelperRun {
  /** Milliseconds since the epoch. */
  readonly reportedAt: number;
  /** From asking for the container to its report, as `docker run` counts, in seconds. */
  readonly took: number;
}

/** The helper containers, by the daemon's own log. */
const helperRuns = (mac: Mac): HelperRun[] =>
  logOf(mac, 'the helper container reported after').map(({ time, message }) => ({
    reportedAt: Date.parse(time),
    took: Number(/(\d+) ms/.exec(message)?.[1]) / 1000,
  }));

/** Asks as fast as it can, since the first answer counts; one shell, so that only curl starts each time. */
const firstAnswer = (mac: Mac, address: string): Promise<string> =>
  must(mac, [
    '/bin/sh',
    '-c',
    'until /usr/bin/curl --silent --fail --connect-timeout 0.2 --max-time 3 "http://$0/"; do :; done',
    address,
  ]);

async function engineAnswers(mac: Mac): Promise<void> {
  const first = (): Promise<boolean> =>
    dockerOf(mac)
      .version()
      .then(Boolean, () => false);
  while (!(await first())) await pause(10);
}

async function newVm(mac: Mac, name: string): Promise<void> {
  const runsBefore = helperRuns(mac).length;
  await openDocker(mac);
  const docker = dockerOf(mac);
  await engineAnswers(mac);
  const began = performance.now();
  const beganAt = Date.now();
  const bridge = routed(mac, ['172.17.0.0/16']).then(() => since(began));
  let address: string | null = null;
  while (address === null) address = await docker.serve(name).catch((): Promise<null> => pause(10, null));
  const started = since(began);
  const address6 = await docker.address6(name).catch(() => null);
  const first6 = address6 === null ? null : firstAnswer(mac, `[${address6}]`).then(() => since(began));
  await firstAnswer(mac, address);
  const answered = since(began);
  const answered6 = await first6;
  // It may answer before the helper has reported: the rules are not the last that it does.
  await watch('the helper’s report', 60, () => helperRuns(mac).length > runsBefore);
  const helper = helperRuns(mac)[runsBefore];
  const reported = ((helper?.reportedAt ?? NaN) - beganAt) / 1000;
  const floor = helper?.took ?? NaN;
  report("engine's first answer -> container's first HTTP answer", seconds(answered));
  report('  of it: until docker had started that container', seconds(started));
  report("the helper container's own run, the floor", seconds(floor));
  report("  container's first HTTP answer beyond it", seconds(answered - floor), 0.5);
  report(
    '  VM set up and its network routed beyond it',
    seconds(Math.max(reported, await bridge) - floor),
    0.5,
  );
  if (answered6 !== null)
    report("  container's first IPv6 answer beyond IPv4's", seconds(answered6 - answered));
}

/** What docker-tuntap-osx's up script does: Mac address, `docker run` for the VM's address, `docker run` for the rule, route. */
async function byHand(mac: Mac): Promise<void> {
  const docker = dockerOf(mac);
  const began = performance.now();
  await must(mac, ['/sbin/ifconfig', 'tap1', 'up']);
  await docker.inVmByContainer('ip addr replace 10.0.75.2/30 dev eth1 && ip link set eth1 up');
  await docker.inVmByContainer('iptables -A FORWARD -i eth1 -j ACCEPT');
  await mac.run(['/sbin/route', '-n', 'add', '-net', '172.17.0.0/16', '10.0.75.2']);
  report('the same by hand, two docker runs of an up script', seconds(since(began)));
  await docker.inVm('iptables -D FORWARD -i eth1 -j ACCEPT');
}

interface Times {
  /** From the end of `docker network create` to its route. */
  readonly routed: readonly number[];
  /** What Docker itself took to make the network. */
  readonly made: readonly number[];
}

async function newNetworks(mac: Mac, from: number, count: number): Promise<Times> {
  const times: { routed: number[]; made: number[] } = { routed: [], made: [] };
  for (let index = from; index < from + count; index += 1) {
    const asked = performance.now();
    await dockerOf(mac).createNetwork(`bench-${index}`, subnetsOf(index));
    const began = performance.now();
    times.made.push(since(asked));
    await routed(mac, subnetsOf(index));
    times.routed.push(since(began));
  }
  return times;
}

const spread = (times: readonly number[]): string =>
  `p50 ${seconds(quantile(times, 0.5))}, p95 ${seconds(quantile(times, 0.95))}`;

/** With hundreds of networks the command may stop waiting before the daemon is done. */
const command = (mac: Mac, word: string): Promise<unknown> =>
  mac.run(['/usr/local/bin/tuntapctl', word], { timeout: 150_000 });

const rest = (): Promise<void> => pause(3000);

/** So many routes by a shell, which starts a command faster than anybody: what `route` itself costs. */
async function routesByHand(mac: Mac, networks: number): Promise<void> {
  const each = (verb: string): Promise<string> =>
    must(mac, [
      '/bin/sh',
      '-c',
      `i=0; while [ $i -lt ${networks} ]; do /sbin/route -n ${verb} -net 10.$((200 + i / 256)).$((i % 256)).0/24 192.168.1.1 >/dev/null; i=$((i + 1)); done`,
    ]);
  const began = performance.now();
  await each('add');
  report(`${networks} networks: as many routes by a shell loop, the floor`, seconds(since(began)));
  await each('delete');
}

/** What starting so many commands that do nothing costs a program in Node, here where that is fork and exec. */
async function spawnsAlone(mac: Mac, count: number): Promise<void> {
  const program = `
    const { spawn } = require('node:child_process');
    const one = () => new Promise((resolve) => spawn('/bin/sleep', ['0']).once('close', resolve));
    (async () => { for (let left = ${count}; left > 0; left -= 1) await one(); })();`;
  const began = performance.now();
  await must(mac, ['/usr/local/bin/node', '--eval', program]);
  report(`${count} networks: as many commands that do nothing, from Node`, seconds(since(began)));
}

/** Hundreds of networks take Docker minutes when it makes rules for each; without, its bridges alone count. */
async function withoutDockersFirewall(mac: Mac): Promise<void> {
  await dockerOf(mac)
    .inVm(
      `mkdir -p /etc/docker; echo '${daemonJson({ iptables: false, ip6tables: false })}' >/etc/docker/daemon.json; kill $(cat /run/docker.pid)`,
    )
    .catch(() => undefined);
  await rest();
  await engineAnswers(mac);
}

/** From no route of ours and nothing of ours in the VM to all of it, and then one network more, at so many networks. */
async function reconcile(mac: Mac, networks: number, made: number): Promise<number> {
  const missing = Array.from({ length: Math.max(0, networks - made) }, (_, index) => made + index);
  const create = async (): Promise<void> => {
    for (let index = missing.shift(); index !== undefined; index = missing.shift())
      await dockerOf(mac).createNetwork(`bench-${index}`, subnetsOf(index));
  };
  await Promise.all(Array.from({ length: 4 }, create));
  const count = Math.max(made, networks);
  const subnets = Array.from({ length: count }, (_, index) => subnetsOf(index)).flat();
  await routed(mac, subnets, 600);
  await command(mac, 'down');
  await watch('no route of ours', 600, () => {
    const now = routedNow(mac);
    return !subnets.some((subnet) => now.has(subnet));
  });
  await rest();
  await routesByHand(mac, count);
  await spawnsAlone(mac, count);
  await rest();
  const began = performance.now();
  const asked = command(mac, 'up');
  await routed(mac, subnets, 600);
  report(`${count} networks: all routes, from \`tuntapctl up\` on`, seconds(since(began)), 5);
  await asked;
  report(`${count} networks: the same until \`tuntapctl up\` returned`, seconds(since(began)));
  await rest();
  const more = await newNetworks(mac, count, 10);
  report(`${count} networks: one network more, 10 times`, spread(more.routed), 0.3);
  report(`${count} networks: Docker’s own time for each of them`, spread(more.made));
  return count + more.routed.length;
}

/** Names that were asked for before their containers ran: from the end of each `docker run` to its name's first answer. */
async function newNames(mac: Mac, count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `named-${index}`;
    const found = firstFound(mac, `${name}.docker`);
    // It has heard that there is none.
    await pause(1000);
    await dockerOf(mac).serve(name);
    const began = Date.now();
    times.push(Math.max(0, (await found) - began) / 1000);
    await dockerOf(mac).remove(name);
  }
  return times;
}

async function idle(mac: Mac, duration: number): Promise<void> {
  const { pid } = await statusOf(mac);
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
  await pause(20_000);
  const before = look();
  await pause(duration * 1000);
  const after = look();
  const cpu = (after.ticks - before.ticks) / 100;
  say(
    `idle daemon over ${duration} s, load ${load()}: RSS ${Math.round(after.kilobytes / 1024)} MB, ` +
      `CPU with its commands ${seconds(cpu)} (${((100 * cpu) / duration).toFixed(2)} %)`,
  );
}

const mac = await bootMac({
  engine: values.engine as 'sid',
  // A lone VM has both of this machine's.
  processors: 2,
  progress: (line) => {
    say(`  ${line}`);
  },
});
try {
  say(`load ${load()}`);
  await install(mac);
  await newVm(mac, 'first');
  await rest();
  await byHand(mac);
  if (values.inet6)
    await dockerOf(mac).inVm(`mkdir -p /etc/docker; echo '${daemonJson({})}' >/etc/docker/daemon.json`);
  await quitDocker(mac);
  await rest();
  say('Docker’s next start, with the image that worked before:');
  await newVm(mac, 'second');
  if (Number(values.idle) > 0) await idle(mac, Number(values.idle));
  report('docker run -> its name, asked for before, 10 times', spread(await newNames(mac, 10)), 1);
  let made = await reconcile(mac, 10, 0);
  say(`load ${load()}`);
  const times = await newNetworks(mac, made, 50);
  made += times.routed.length;
  report('docker network create -> its route, 50 times', spread(times.routed), 0.3);
  report('  Docker’s own time for each of them', spread(times.made));
  const most = Number(values.networks);
  if (most >= 100) made = await reconcile(mac, 100, made);
  if (most > 100) {
    await withoutDockersFirewall(mac);
    made = await reconcile(mac, most, made);
  }
  say(`load ${load()}`);
  await quitDocker(mac);
} finally {
  await mac.end();
}
