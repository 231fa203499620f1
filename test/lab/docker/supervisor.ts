/**
 * Docker.app's own process in the lab, run as the user: starts hyperkit as Docker's supervisor does, restarts it
 * when it dies, offers the Engine API on the user's socket, and installs a staged update when it quits.
 * Called as: docker-app.js /Applications/Docker.app
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';

const [, , app = '/Applications/Docker.app'] = process.argv;
process.title = `${app}/Contents/MacOS/Docker`;

const home = process.env['HOME'] ?? '/Users/person';
const data = join(home, 'Library/Containers/com.docker.docker/Data');
const pidFile = join(data, 'docker-app.pid');
const socket = join(home, '.docker/run/docker.sock');
const staged = join(home, 'Library/Application Support/com.docker.install/in_progress/Docker.app');
const hyperkits = [
  'Contents/Resources/bin/com.docker.hyperkit',
  'Contents/Resources/bin/hyperkit',
  'Contents/MacOS/com.docker.hyperkit',
];

/** In the shape of Docker Desktop 4.x: NIC in 1:0, disk in 2:0. */
const commandLine = [
  '-A',
  '-u',
  '-F',
  'vms/0/hyperkit.pid',
  '-c',
  '2',
  '-m',
  '2048M',
  '-s',
  '0:0,hostbridge',
  '-s',
  '31,lpc',
  '-s',
  '1:0,virtio-vpnkit,path=vpnkit.eth.sock,uuid=5a0e64b6-0d6e-4d57-a6ce-0c8aa5d60c11',
  '-U',
  '9e6b4c3f-2c7f-4c30-b5de-74d9a1a5d6a8',
  '-s',
  `2:0,virtio-blk,${data}/vms/0/data/Docker.raw`,
  '-s',
  '3,virtio-sock,guest_cid=3,path=vms/0,guest_forwards=1525',
  '-s',
  '4,virtio-rnd',
  '-l',
  'com1,null,asl,log=vms/0/console-ring',
  '-f',
  `kexec,${app}/Contents/Resources/linuxkit/kernel,${app}/Contents/Resources/linuxkit/initrd.img,earlyprintk=serial page_poison=1 vsyscall=emulate panic=1 console=ttyS0 console=ttyS1  vpnkit.connect=connect://2/1999 vpnkit.disable=osxfs-data `,
];

mkdirSync(join(data, 'vms/0/data'), { recursive: true });
mkdirSync(join(home, '.docker/run'), { recursive: true });
process.chdir(data);
writeFileSync(pidFile, `${process.pid}\n`);

let vm: ChildProcess | null = null;
let quitting = false;
const starts: number[] = [];

function startVm(): void {
  // hyperkit requires the file not to exist; Docker's driver removes it first.
  rmSync('vms/0/hyperkit.pid', { force: true });
  const hyperkit = hyperkits.map((name) => join(app, name)).find((path) => existsSync(path));
  if (hyperkit === undefined) return;
  const log = openSync('vms/0/console.log', 'a');
  vm = spawn(hyperkit, commandLine, { argv0: 'com.docker.hyperkit', stdio: ['ignore', log, log] });
  vm.on('error', (error) => {
    process.stderr.write(`${String(error)}\n`);
  });
  vm.on('exit', () => {
    vm = null;
    rmSync('engine.port', { force: true });
    if (quitting) return;
    const now = Date.now();
    starts.push(now);
    if (starts.filter((start) => now - start < 30_000).length > 5) {
      process.stderr.write('hyperkit keeps dying; giving up\n');
      return;
    }
    setTimeout(startVm, 500);
  });
}

rmSync(socket, { force: true });
const proxy = createServer({ allowHalfOpen: true }, (client) => {
  let port: number;
  try {
    port = Number(readFileSync('engine.port', 'utf8'));
  } catch {
    client.destroy();
    return;
  }
  const engine = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
  client.pipe(engine).pipe(client);
  for (const [from, to] of [
    [client, engine],
    [engine, client],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
});
proxy.listen(socket);

function installUpdate(): void {
  if (!existsSync(staged)) return;
  rmSync(`${app}.back`, { recursive: true, force: true });
  renameSync(app, `${app}.back`);
  renameSync(staged, app);
  rmSync(`${app}.back`, { recursive: true, force: true });
}

function quit(): void {
  if (quitting) return;
  quitting = true;
  const end = (): void => {
    rmSync(socket, { force: true });
    installUpdate();
    rmSync(pidFile, { force: true });
    process.exit(0);
  };
  if (!vm) end();
  vm?.once('exit', end);
  vm?.kill('SIGTERM');
}

process.on('SIGTERM', quit);
startVm();
