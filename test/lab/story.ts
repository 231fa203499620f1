/**
 * The main job as a story in chapters: what a user lives through with tuntapd. The demo tells it, the end-to-end
 * tests hold every chapter. Each chapter acts as a user (or as Docker, or as fate) and then waits for the state of
 * the world to be right; none of them does anything of the daemon's work.
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import type { Status } from '../../daemon/api/messages.js';
import { layoutAt } from '../../daemon/lib/layout.js';
import { dockerClient, type DockerClient } from './docker-client.js';
import { bootMac, type Mac } from './lab.js';
import { until } from './until.js';

export const hyperkit = '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit';
const data = '/Users/person/Library/Containers/com.docker.docker/Data';
export const vmPid = `${data}/vms/0/hyperkit.pid`;
/** What dockerd and the VM's init say. */
export const vmConsole = `${data}/vms/0/console.log`;

export interface Chapter {
  readonly title: string;
  readonly play: () => Promise<void>;
}

export interface Identity {
  readonly sha256: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly mtime: number;
}

/** What must be the same again after an uninstall: bytes, owner, mode and modification time. */
export function identityOf(path: string): Identity {
  const { uid, gid, mode, mtimeMs } = lstatSync(path);
  return {
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
    uid,
    gid,
    mode,
    mtime: mtimeMs,
  };
}

/** The engine of somebody's Docker: person's unless told. */
export const dockerOf = (mac: Mac, user = 'person'): DockerClient =>
  dockerClient(mac.path(`/Users/${user}/.docker/run/docker.sock`));

/** Runs a command as root on the Mac and returns its output; rejects with all it said when it fails. */
export async function must(mac: Mac, argv: string[], timeout = 120_000): Promise<string> {
  const { stdout, stderr, exitCode } = await mac.run(argv, { timeout });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}:\n${stderr}${stdout}`);
  return stdout;
}

/** What `tuntapctl status` tells programs. */
export const statusOf = async (mac: Mac): Promise<Status> =>
  JSON.parse((await mac.run(['/usr/local/bin/tuntapctl', 'status', '--json'])).stdout) as Status;

/** One of its conditions. */
export async function conditionOf(mac: Mac, type: string): Promise<Status['conditions'][number]> {
  const found = (await statusOf(mac)).conditions.find((condition) => condition.type === type);
  if (!found) throw new Error(`there is no condition ${type}`);
  return found;
}

/** What `tuntapctl routes` tells programs. */
export const routesTold = async (mac: Mac): Promise<Status['routes']> =>
  JSON.parse(await must(mac, ['/usr/local/bin/tuntapctl', 'routes', '--json'])) as Status['routes'];

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

/** The answer of a web server to the Mac, asked on the container's own address. */
export const fetchFromMac = (mac: Mac, address: string): Promise<string> =>
  must(mac, ['/usr/bin/curl', '--silent', '--show-error', '--max-time', '3', `http://${address}/`]);

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
  await answers(mac, name, address, 60);
  return address;
}

const pidIn = (mac: Mac, path: string): number => Number(readFileSync(mac.path(path), 'utf8').trim());

/** Docker.app's own process. */
export const dockersPid = (mac: Mac): number => pidIn(mac, `${data}/docker-app.pid`);

const routesOf = (mac: Mac): Promise<string> => must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet']);

/** Whether a script stands at hyperkit's path. */
export const hasShim = (mac: Mac, path = hyperkit): boolean =>
  existsSync(mac.path(path)) && readFileSync(mac.path(path)).subarray(0, 2).toString() === '#!';

const installed = (mac: Mac, path = hyperkit): Promise<boolean> =>
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

/** The chapters in order, all on one Mac. One that fails says what state it left; those after it are not played. */
export function story(mac: Mac): readonly Chapter[] {
  let failed: string | null = null;
  return chapters(mac).map(({ title, play }) => ({
    title,
    play: async () => {
      if (failed !== null) throw new Error(`not played, because an earlier chapter failed: ${failed}`);
      try {
        await explained(mac, play);
      } catch (error) {
        failed = title;
        throw error;
      }
    },
  }));
}

/** A container of a compose file: on a network of its own, at its own address, with `restart: always`. */
const shop = { name: 'shop-web-1', network: 'shop_default', subnet: '172.28.6.0/24', address: '172.28.6.10' };

function chapters(mac: Mac): readonly Chapter[] {
  let untouched: Identity | null = null;
  const shopAnswers = (): Promise<string> => answers(mac, shop.name, shop.address, 180);
  return [
    {
      title: 'tuntapd is installed by one command',
      play: async () => {
        untouched = identityOf(mac.path(hyperkit));
        await install(mac);
      },
    },
    {
      title: 'Docker is opened: a container answers on its own address',
      play: async () => {
        await openDocker(mac);
        await containerAnswers(mac, 'first');
      },
    },
    {
      title: 'a network made later is reached too, and its route goes with it',
      play: async () => {
        await dockerOf(mac).createNetwork('later', '172.28.5.0/24');
        await containerAnswers(mac, 'second', 'later');
        await dockerOf(mac).remove('second');
        await dockerOf(mac).removeNetwork('later');
        await until('the route is gone', 20, async () => !(await routesOf(mac)).includes('172.28.5/24'));
      },
    },
    {
      title: 'the VM is killed: Docker starts another one, and what starts with it is reached',
      play: async () => {
        await dockerOf(mac).createNetwork(shop.network, shop.subnet);
        await dockerOf(mac).serve(shop.name, shop.network, { always: shop.address });
        await shopAnswers();
        // It has been there for long: nothing of it is still to be written to the VM's disk.
        await dockerOf(mac).inVm('sync');
        const before = pidIn(mac, vmPid);
        await must(mac, ['/bin/kill', '-KILL', String(before)]);
        await until('a new VM', 60, () => Promise.resolve(pidIn(mac, vmPid) !== before));
        await shopAnswers();
      },
    },
    {
      title: 'tuntapd is killed: launchd starts it again, and containers made meanwhile are reached',
      play: async () => {
        const { pid } = await statusOf(mac);
        await must(mac, ['/bin/kill', '-KILL', String(pid)]);
        await dockerOf(mac).createNetwork('meanwhile', '172.29.7.0/24');
        await containerAnswers(mac, 'after-daemon-kill', 'meanwhile');
      },
    },
    {
      title: 'Docker is quit and opened again',
      play: async () => {
        await quitDocker(mac);
        await openDocker(mac);
        await shopAnswers();
        await containerAnswers(mac, 'after-restart');
      },
    },
    {
      title: 'Docker updates itself: the shim was overwritten, and is back',
      play: async () => {
        await mac.call('docker.stage-update', { version: '4.2.0', seed: 'update' });
        await quitDocker(mac);
        await installed(mac);
        untouched = identityOf(mac.path(`${hyperkit}.original`));
        await openDocker(mac);
        await shopAnswers();
      },
    },
    {
      title: 'the Mac is rebooted, the user logs in, Docker starts',
      play: async () => {
        await mac.reboot();
        await mac.login('person');
        await until('/dev/tap1 belongs to the user', 30, () =>
          Promise.resolve(lstatSync(mac.path('/dev/tap1')).uid === 501),
        );
        await openDocker(mac);
        await shopAnswers();
      },
    },
    {
      title: 'tuntapd is uninstalled and leaves no trace',
      play: async () => {
        await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 120_000);
        const now = identityOf(mac.path(hyperkit));
        if (JSON.stringify(now) !== JSON.stringify(untouched))
          throw new Error(`hyperkit is not what it was: ${JSON.stringify({ untouched, now })}`);
        const left = (
          await must(mac, [
            '/usr/bin/find',
            '/opt/tuntapd',
            '/usr/local/bin/tuntapctl',
            '/var/db/tuntapd',
            '/var/log/tuntapd',
            '/var/db/tuntapd.claims',
            '/etc/tuntapd',
            '/etc/newsyslog.d/tuntapd.conf',
            '/var/run/tuntapd.sock',
            '/Library/LaunchDaemons/io.github.tuntapd.plist',
            `${hyperkit}.original`,
            '-maxdepth',
            '0',
          ]).catch((error: unknown) => String(error))
        )
          .split('\n')
          .filter((line) => line.startsWith('/') && !line.startsWith('/usr/bin/find'));
        if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
        if ((await routesOf(mac)).includes('10.0.75.2')) throw new Error('a route of ours is left');
        if (lstatSync(mac.path('/dev/tap1')).uid !== 0) throw new Error('/dev/tap1 does not belong to root');
      },
    },
  ];
}
