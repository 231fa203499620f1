/**
 * Docker.app's own process in the lab, run as the user: starts its VM as Docker's supervisor does (by hyperkit, by the
 * Virtualization framework or as Docker VMM, as bundle and settings say), restarts it when it dies, offers the Engine
 * API on the user's socket, and installs a staged update when it quits. SIGUSR1 is Resource Saver: the VM goes off, and
 * comes back for the first who asks the engine anything. SIGUSR2 is `docker desktop restart`: another VM, under the same
 * process.
 * Called as: docker-app.js /Applications/Docker.app
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { passOn } from './api-proxy.js';
import { dockerStart } from './command-line.js';
import { readSettings } from './settings.js';
import { virtualizationStart } from './virtualization-command-line.js';

const [, , app = '/Applications/Docker.app'] = process.argv;

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

const inBundle = (names: readonly string[]): string | undefined =>
  names.map((name) => join(app, name)).find((path) => existsSync(path));

/** What a person sees and quits: “Docker”, or its backend alone where Docker has no hyperkit any more. */
process.title = `${app}/Contents/MacOS/${inBundle(hyperkits) === undefined ? 'com.docker.backend' : 'Docker'}`;

function versionNow(): string {
  const plist = readFileSync(join(app, 'Contents/Info.plist'), 'utf8');
  return /<key>CFBundleShortVersionString<\/key>\s*<string>([^<]*)/.exec(plist)?.[1] ?? '';
}

interface Start {
  readonly file: string;
  readonly argv: readonly string[];
  readonly argv0: string;
  /** hyperkit alone has one. */
  readonly pidFile: string | null;
}

/** Of the bundle as it is now: an update starts its VM in its own way. Null when there is nothing to start. */
function howToStart(): Start | null {
  const version = versionNow();
  const hyperkit = inBundle(hyperkits);
  const byApple = inBundle(['Contents/MacOS/com.docker.virtualization']);
  const vmm = inBundle(['Contents/MacOS/com.docker.sailor']);
  const own = { argv0: 'com.docker.hyperkit', ...dockerStart(version, app, data) };
  const isByApple = byApple !== undefined && (settings.virtualizationFramework || hyperkit === undefined);
  if (hyperkit !== undefined && !isByApple) return { file: hyperkit, ...own };
  // A Mac without an engine has a Docker that starts no VM.
  if (!existsSync('/.lab/run/vm.json')) return null;
  if (vmm !== undefined && settings.dockerVmm) return { file: vmm, argv: [], argv0: vmm, pidFile: null };
  if (byApple === undefined) return null;
  return {
    file: byApple,
    argv: virtualizationStart(version, app, data, settings),
    argv0: byApple,
    pidFile: null,
  };
}

mkdirSync(join(data, 'vms/0/data'), { recursive: true });
mkdirSync(join(data, 'com.docker.driver.amd64-linux'), { recursive: true });
mkdirSync(join(home, '.docker/run'), { recursive: true });
process.chdir(data);
writeFileSync(pidFile, `${process.pid}\n`);

let settings = readSettings(home, versionNow());
let vm: ChildProcess | null = null;
let quitting = false;
/** Whether the VM is off, or on its way there, until somebody asks. */
let saving = false;
const starts: number[] = [];

function startVm(): void {
  const start = howToStart();
  if (start === null) return;
  // hyperkit requires the file not to exist; Docker's driver removes it first.
  if (start.pidFile !== null) rmSync(start.pidFile, { force: true });
  const log = openSync('vms/0/console.log', 'a');
  vm = spawn(start.file, start.argv, { argv0: start.argv0, stdio: ['ignore', log, log] });
  vm.on('error', (error) => {
    process.stderr.write(`${String(error)}\n`);
  });
  vm.on('exit', () => {
    vm = null;
    rmSync('engine.port', { force: true });
    if (quitting || saving) return;
    const now = Date.now();
    starts.push(now);
    if (starts.filter((start) => now - start < 30_000).length > 5) {
      process.stderr.write('the VM keeps dying; giving up\n');
      return;
    }
    setTimeout(startVm, 500);
  });
}

/** The engine's port; null while it does not answer, unless the VM had to be woken: then that is waited for. */
async function enginePort(): Promise<number | null> {
  const wakes = saving;
  if (wakes) {
    saving = false;
    // One that is still on its way off is started again as any that ends.
    if (!vm) startVm();
  }
  for (let left = wakes ? 600 : 1; left > 0; left -= 1) {
    // It may go, or not be written yet, at any moment.
    const port = Number(await readFile('engine.port', 'utf8').catch(() => '0'));
    if (port > 0) return port;
    await pause(100);
  }
  return null;
}

rmSync(socket, { force: true });
const proxy = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
  client.on('error', () => undefined);
  void enginePort().then((port) => {
    if (port === null) {
      client.destroy();
      return;
    }
    passOn(client, createConnection({ port, host: '127.0.0.1', allowHalfOpen: true }));
  });
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
    settings.write();
    installUpdate();
    rmSync(pidFile, { force: true });
    process.exit(0);
  };
  if (!vm) end();
  vm?.once('exit', end);
  vm?.kill('SIGTERM');
}

process.on('SIGTERM', quit);
process.on('SIGUSR1', () => {
  saving = true;
  rmSync('engine.port', { force: true });
  vm?.kill('SIGTERM');
});
process.on('SIGUSR2', () => {
  saving = false;
  settings.write();
  settings = readSettings(home, versionNow());
  rmSync('engine.port', { force: true });
  // One that ends is started again.
  if (vm) vm.kill('SIGTERM');
  else startVm();
});
startVm();
