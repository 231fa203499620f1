/**
 * The root process of a lab Mac, the only child of its pid 1: kernel network and tap kext, launchd, users and
 * sessions, served to the facades on a unix socket. Called as: machine.js OPTIONS, with the lease on stdin (at its
 * end the Mac ends) and the report on fd 3.
 */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type DockerCli, type Layout, writeDockerApp } from '../docker/bundle.js';
import { brewPrefix, installColima } from '../docker/colima-files.js';
import { served } from '../facades/served.js';
import { serveFacades } from './facade-server.js';
import { createConfigd } from './dns/configd.js';
import { keepResponder } from './dns/keep-responder.js';
import { createLaunchd } from './launchd/launchd.js';
import { logIn, type Logins, logOut, nobody } from './logins.js';
import type { MacOptions } from './options.js';
import { people, type Person } from './people.js';
import { createPrivacy } from './privacy.js';
import { endProcesses } from './reboot.js';
import { MachineError, serve, type Handlers } from './rpc.js';
import { createVmnet } from './vmnet.js';
import { createXnu } from './xnu/xnu.js';

const options = JSON.parse(process.argv[2] ?? '{}') as MacOptions;
const report = 3;
const systemLog = '/var/log/system.log';
const launchdLog = '/var/log/com.apple.xpc.launchd/launchd.log';
const dockerApp = '/Applications/Docker.app';

export interface Notification {
  readonly uid: number;
  readonly title: string;
  readonly subtitle: string;
  readonly text: string;
}

let logins = nobody;
let notifications: Notification[] = [];

const stamp = (): string => new Date().toISOString().replace('T', ' ').replace('Z', '000');

const personCalled = (name: string): Person => {
  const found = people().find((person) => person.name === name);
  if (!found) throw new MachineError('ENOENT', `nobody is called ${name}`);
  return found;
};

const inFront = (): Person | null => logins.front?.person ?? null;

/** The console's owner is how a Mac says who sits at the screen. */
function become(next: Logins): void {
  logins = next;
  const person = inFront();
  chownSync('/dev/console', person?.uid ?? 0, person?.gid ?? 0);
  chmodSync('/dev/console', person ? 0o620 : 0o600);
}

const launchd = createLaunchd({
  daemons: '/Library/LaunchDaemons',
  disabledFile: '/var/db/com.apple.xpc.launchd/disabled.plist',
  macos: options.macos,
  environment: { NODE_OPTIONS: '--import=/.lab/lib/on-mac.js' },
  log: (line) => {
    appendFileSync(launchdLog, `${stamp()} ${line}\n`);
  },
  userOf: (name) => people().find((person) => person.name === name) ?? null,
  guiUser: () => inFront()?.uid ?? null,
});

const xnu = createXnu({ kext: options.kext });

const vmnet = createVmnet(xnu.network, options.vmnet);

const responder = keepResponder();

const configd = createConfigd({ macos: options.macos, network: xnu.network, tell: responder.tell });

const privacy = createPrivacy(dockerApp, options);

/** Empties a folder, but for what is mounted below it (the checkout, when it lies in /tmp). */
const empty = (folder: string): void => {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => `${line.split(' ')[1] ?? ''}/`);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!mounts.some((mount) => mount.startsWith(`${path}/`))) rmSync(path, { recursive: true, force: true });
  }
};

/** `patience`: milliseconds from SIGTERM to SIGKILL for all that is no job of launchd's. */
async function shutDown(patience: number): Promise<void> {
  const jobs = launchd.shutdown();
  await endProcesses(launchd.pids, patience);
  await jobs;
}

const owner = { uid: 501, gid: 20 };

function linkSocket(): void {
  if (options.docker?.varRunSocket === true)
    symlinkSync('/Users/person/.docker/run/docker.sock', '/var/run/docker.sock');
}

const handlers: Handlers = {
  ...xnu.handlers,
  ...vmnet.handlers,
  ...configd.handlers,
  ...launchd.handlers,
  ...privacy.handlers,
  'mac.about': () => ({ macos: options.macos, processor: options.processor }),
  'mac.session': () => {
    const person = inFront();
    return person && { name: person.name, uid: person.uid, gid: person.gid };
  },
  'mac.logins': () => logins,
  'mac.login': ({ user, name }: { user: string; name?: string }) => {
    become(logIn(logins, 'the screen', personCalled(user), name));
  },
  // By screen sharing, with a screen of one's own.
  'mac.login-from-afar': ({ user }: { user: string }) => {
    become(logIn(logins, 'afar', personCalled(user)));
  },
  'mac.logout': async () => {
    const uid = inFront()?.uid;
    become(logOut(logins));
    if (uid !== undefined) await endProcesses(launchd.pids, 5_000, uid);
  },
  'mac.reboot': async () => {
    become(nobody);
    await shutDown(5_000);
    empty('/run');
    empty('/tmp');
    notifications = [];
    vmnet.reset();
    xnu.reset();
    configd.reset();
    await responder.start();
    linkSocket();
    launchd.boot();
  },
  'mac.notify': (notification: Notification) => {
    if (inFront()?.uid !== notification.uid) throw new MachineError('ENOTCONN', 'no session');
    notifications.push(notification);
  },
  'mac.notifications': () => notifications,
  'mac.syslog': ({ line }: { line: string }) => {
    appendFileSync(systemLog, `${line}\n`);
  },
  'colima.install': () => {
    installColima(brewPrefix(options.processor), owner);
  },
  'docker.stage-update': (update: {
    version: string;
    seed?: string;
    cli?: DockerCli;
    layout?: Layout | null;
    virtualization?: boolean;
  }) => {
    const folder = '/Users/person/Library/Application Support/com.docker.install';
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'in_progress'), { recursive: true });
    for (const path of [folder, join(folder, 'in_progress')]) chownSync(path, owner.uid, owner.gid);
    writeDockerApp({
      path: join(folder, 'in_progress/Docker.app'),
      owner,
      ...(options.docker?.layout === undefined ? {} : { layout: options.docker.layout }),
      ...update,
    });
  },
};

let ending = false;
function end(): void {
  if (ending) return;
  ending = true;
  // A job that does not want to end is not waited for: with this process pid 1 ends, and with it everything.
  const give = setTimeout(() => process.exit(0), 3_000);
  void shutDown(500).finally(() => {
    clearTimeout(give);
    process.exit(0);
  });
}
process.on('SIGTERM', end);
process.on('SIGINT', end);
process.stdin.on('end', end).on('close', end).on('error', end).resume();

for (const log of [systemLog, launchdLog]) writeFileSync(log, '', { mode: 0o644 });
if (options.vm) writeFileSync('/.lab/run/vm.json', JSON.stringify(options.vm), { mode: 0o644 });
if (options.docker) writeDockerApp({ path: dockerApp, owner, ...options.docker });
privacy.start();
linkSocket();
configd.start();
await responder.start();
launchd.boot();
if (options.login !== null) become(logIn(nobody, 'the screen', personCalled(options.login)));
await serve(handlers);
await serveFacades(served, handlers);
writeSync(report, 'ready\n');
closeSync(report);
