/** What a user, Docker or fate does to a Mac, and what can be seen of it: the words that every story is told in. */
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { askStatus } from '../../../cli/client.js';
import type { Condition, Status } from '../../../daemon/api/messages.js';
import { layoutAt } from '../../../daemon/lib/layout.js';
import { dockerClient, type DockerClient } from './docker-client.js';
import { shellFile } from '../../lab/docker/qemu.js';
import { bootMac, type Mac } from '../../lab/lab.js';
import { until } from '../../lib/until.js';

export const hyperkit = '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit';
const dataOf = (user: string): string => `/Users/${user}/Library/Containers/com.docker.docker/Data`;
const data = dataOf('person');
export const vmPid = `${data}/vms/0/hyperkit.pid`;
/** What dockerd and the VM's init say. */
export const vmConsole = `${data}/vms/0/console.log`;

/** The engine of somebody's Docker: person's unless told. */
export const dockerOf = (mac: Mac, user = 'person'): DockerClient =>
  dockerClient(mac.path(`/Users/${user}/.docker/run/docker.sock`), mac.path(`${dataOf(user)}/${shellFile}`));

/** What bears our label in person's Docker, running or not. */
export const ourContainers = async (mac: Mac) =>
  (await dockerOf(mac).containers()).filter(({ labels }) => 'io.github.tuntapd' in labels);

/** Waits until no helper is at work. */
export const helperIsGone = (mac: Mac): Promise<boolean> =>
  until('no helper is at work', 60, async () => (await ourContainers(mac)).length === 0);

/** Runs a command as root on the Mac and returns its output; rejects with all it said when it fails. */
export async function must(mac: Mac, argv: string[], timeout = 120_000): Promise<string> {
  const { stdout, stderr, exitCode } = await mac.run(argv, { timeout });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}:\n${stderr}${stdout}`);
  return stdout;
}

/** What `tuntapctl status` tells programs, by its own client: a process of Node's for each look costs the VM its CPU. */
export const statusOf = (mac: Mac): Promise<Status> => askStatus(mac.path(layoutAt().socket));

/** One of its conditions. */
export async function conditionOf(mac: Mac, type: string): Promise<Condition> {
  const found = (await statusOf(mac)).conditions.find((condition) => condition.type === type);
  if (!found) throw new Error(`there is no condition ${type}`);
  return found;
}

/** Waits until `tuntapctl status` tells this phase; returns that status. */
export const phaseIs = (mac: Mac, phase: Status['phase'], seconds: number): Promise<Status> =>
  until(`tuntapd is ${phase}`, seconds, async () => {
    const status = await statusOf(mac);
    return status.phase === phase && status;
  });

/** Waits until a condition has this reason, and this status where one is given; returns the condition. */
export const conditionIs = (
  mac: Mac,
  type: string,
  { reason, status }: { readonly reason: string; readonly status?: Condition['status'] },
  seconds: number,
): Promise<Condition> =>
  until(`${type} is ${[status, reason].filter(Boolean).join(': ')}`, seconds, async () => {
    const found = await conditionOf(mac, type);
    return found.reason === reason && (status === undefined || found.status === status) && found;
  });

/** What `tuntapctl routes` tells programs. */
export const routesTold = async (mac: Mac): Promise<Status['routes']> => (await statusOf(mac)).routes;

/** Destinations of the Mac's routes to the VM, as netstat abbreviates them. */
export const routedToTheVm = async (mac: Mac): Promise<string[]> =>
  (await routesOf(mac))
    .split('\n')
    .map((row) => row.split(/\s+/))
    .flatMap(([destination = '', gateway]) => (gateway === '10.0.75.2' ? [destination] : []));

export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly message: string;
}

/** The daemon's log; those lines alone whose message begins so. */
export const logOf = (mac: Mac, begin = ''): readonly LogLine[] =>
  readFileSync(mac.path('/var/log/tuntapd/tuntapd.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ message }) => message.startsWith(begin));

/** The answer of a web server to the Mac, asked on the container's own address, or by its name. */
export const fetchFromMac = (mac: Mac, host: string): Promise<string> =>
  must(mac, ['/usr/bin/curl', '--silent', '--show-error', '--max-time', '3', `http://${host}/`]);

/** Whether an address answers the Mac's ping. */
export const pingFromMac = async (mac: Mac, address: string): Promise<boolean> =>
  (await mac.run(['/usr/bin/busybox', 'ping', '-c', '1', '-W', '3', address])).exitCode === 0;

export const answers = (mac: Mac, name: string, address: string, seconds: number): Promise<string> =>
  until(`container ${name} answers the Mac on ${address}`, seconds, async () => {
    const body = await fetchFromMac(mac, address);
    return body.includes(`served by ${name}`) && body;
  });

export async function openDocker(mac: Mac, user = 'person', app = 'Docker'): Promise<void> {
  const { exitCode, stderr } = await mac.asUser(['/usr/bin/open', '--background', '-a', app], { user });
  if (exitCode !== 0) throw new Error(`open -a Docker: ${stderr}`);
}

export async function quitDocker(mac: Mac): Promise<void> {
  const { exitCode, stderr } = await mac.asUser(['/usr/bin/osascript', '-e', 'quit app "Docker"'], {
    timeout: 60_000,
  });
  if (exitCode !== 0) throw new Error(`quit app "Docker": ${stderr}`);
}

export const engineAnswers = (mac: Mac, docker = dockerOf(mac)): Promise<string> =>
  until('Docker Engine answers', 180, () => docker.version());

/** A web server in a new container, once the image is there (the VM loads it just after its start). */
const serve = (docker: DockerClient, name: string, network?: string): Promise<string> =>
  until(`container ${name} starts`, 60, () => docker.serve(name, network));

/** Starts a web server in a new container, and waits until it answers the Mac; returns its address. */
export async function containerAnswers(
  mac: Mac,
  name: string,
  network?: string,
  docker = dockerOf(mac),
): Promise<string> {
  await engineAnswers(mac, docker);
  const address = await serve(docker, name, network);
  await answers(mac, name, address, 150);
  return address;
}

/** Throws where it is made, and not written yet. */
export function pidIn(mac: Mac, path: string): number {
  const pid = Number(readFileSync(mac.path(path), 'utf8'));
  if (!(pid > 0)) throw new Error(`${path} holds no pid`);
  return pid;
}

/** Docker.app's own process. */
export const dockersPid = (mac: Mac): number => pidIn(mac, `${data}/docker-app.pid`);

/** uid that the tap device belongs to. */
export const tapOwner = (mac: Mac): number => lstatSync(mac.path('/dev/tap1')).uid;

export const tapBelongsTo = (mac: Mac, uid: number, seconds = 30): Promise<boolean> =>
  until(`/dev/tap1 belongs to uid ${uid}`, seconds, () => Promise.resolve(tapOwner(mac) === uid));

/** The Mac sleeps, and `meanwhile` happens: the daemon's next tick is more than 30 s late. The same daemon goes on. */
export async function sleepThrough(
  mac: Mac,
  { meanwhile, awake }: { meanwhile: () => Promise<void>; awake: () => Promise<void> },
): Promise<void> {
  const { pid } = await statusOf(mac);
  await must(mac, ['/bin/kill', '-STOP', String(pid)]);
  await meanwhile();
  await pause(43_000);
  await must(mac, ['/bin/kill', '-CONT', String(pid)]);
  await awake();
  const after = (await statusOf(mac)).pid;
  if (after !== pid) throw new Error(`the daemon was ${pid} before the sleep and is ${after} after it`);
}

/** The command lines of all processes, as `ps` tells them. */
export const commandLines = async (mac: Mac): Promise<string[]> =>
  (await must(mac, ['/bin/ps', '-axww', '-o', 'args='])).split('\n');

export const routesOf = (mac: Mac): Promise<string> => must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet']);

/** Whether a script stands at hyperkit's path. */
export const hasShim = (mac: Mac, path = hyperkit): boolean =>
  existsSync(mac.path(path)) && readFileSync(mac.path(path)).subarray(0, 2).toString() === '#!';

export const installed = (mac: Mac, path = hyperkit): Promise<boolean> =>
  until('hyperkit has the shim', 60, () => Promise.resolve(hasShim(mac, path)));

/** Installs tuntapd and waits for the shim at hyperkit's path in this Docker's layout. */
export async function install(mac: Mac, path = hyperkit): Promise<void> {
  await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
  await installed(mac, path);
}

/** What a reader needs to see why something did not happen: the status, the end of the log, of the VM's console. */
async function stateOf(mac: Mac): Promise<string> {
  const looks: readonly (readonly [string, ...string[]])[] = [
    ['/usr/local/bin/tuntapctl', 'status'],
    ['/usr/bin/tail', '-n', '25', '/var/log/tuntapd/tuntapd.log'],
    ['/usr/bin/tail', '-n', '15', layoutAt().launchdLog, '/var/log/com.apple.xpc.launchd/launchd.log'],
    ['/usr/bin/tail', '-n', '15', vmConsole],
    ['/usr/sbin/netstat', '-rn', '-f', 'inet'],
    ['/usr/sbin/netstat', '-rn', '-f', 'inet6'],
    ['/sbin/ifconfig', '-a'],
  ];
  const said: string[] = [];
  for (const argv of looks) {
    const { stdout, stderr } = await mac.run([...argv], { timeout: 20_000 });
    said.push(`$ ${argv.join(' ')}\n${stdout}${stderr}`);
  }
  return said.join('\n');
}

/** A Mac for as long as `live` runs; what `live` rejects with says what state the Mac was in. */
export async function onMac(
  options: Parameters<typeof bootMac>[0],
  live: (mac: Mac) => Promise<void>,
): Promise<void> {
  const mac = await bootMac(options);
  try {
    await explained(mac, () => live(mac));
  } finally {
    await mac.end();
  }
}

/** Does something on a Mac; what it rejects with says what state the Mac is in. */
export async function explained(mac: Mac, play: () => Promise<void>): Promise<void> {
  try {
    await play();
  } catch (error) {
    throw await withState(mac, error);
  }
}

async function withState(mac: Mac, error: unknown): Promise<Error> {
  const why = error instanceof Error ? error.message : String(error);
  return new Error(`${why}\n\n${await stateOf(mac).catch(String)}`, { cause: error });
}
