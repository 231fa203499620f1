/**
 * What runs when colima is executed in the lab: `colima start [--network-address]` has limactl start the VM, makes
 * docker's context and chooses it; `colima stop` ends the VM and takes the context away.
 * Called by the kernel (binfmt_misc, flag P): colima.js PATH ARGV0 ARGUMENTS…
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { finish } from '../facades/lib/say.js';
import { colimaPaths } from './colima-files.js';

const [, , path = '', argv0 = '', verb = '', ...words] = process.argv;
process.title = [argv0, verb, ...words].join(' ');
const prefix = dirname(dirname(path));
const { instance, socket, dockerConfig, context } = colimaPaths(process.env['HOME'] ?? '/');
const pidFile = join(instance, 'ha.pid');

const fatal = (why: string): never => finish(1, { err: `FATA[0000] ${why}\n` });

function chooseContext(name: string | null): void {
  mkdirSync(dirname(dockerConfig), { recursive: true });
  const config = existsSync(dockerConfig)
    ? (JSON.parse(readFileSync(dockerConfig, 'utf8')) as Record<string, unknown>)
    : { auths: {} };
  delete config['currentContext'];
  writeFileSync(
    dockerConfig,
    JSON.stringify(name === null ? config : { ...config, currentContext: name }, null, '\t'),
  );
}

async function start(): Promise<never> {
  const unknown = words.find((word) => word !== '--network-address');
  if (unknown !== undefined) fatal(`unknown flag: ${unknown}`);
  if (existsSync(pidFile)) fatal('colima is already running');
  mkdirSync(instance, { recursive: true });
  mkdirSync(dirname(socket), { recursive: true });
  writeFileSync(
    join(instance, 'lima.yaml'),
    `vmType: vz\n${words.length === 0 ? '' : 'networks:\n  - vzNAT: true\n    interface: col0\n'}`,
  );
  const [out, err] = ['ha.stdout.log', 'ha.stderr.log'].map((name) => openSync(join(instance, name), 'a'));
  const limactl = join(prefix, 'bin/limactl');
  spawn(
    limactl,
    [
      ...['hostagent', '--pidfile', pidFile, '--socket', join(instance, 'ha.sock')],
      ...['--guestagent', join(prefix, 'share/lima/lima-guestagent.Linux-x86_64.gz'), 'colima'],
    ],
    { argv0: limactl, detached: true, cwd: instance, stdio: ['ignore', out, err] },
  ).unref();
  for (let left = 1800; !existsSync(socket); left -= 1) {
    if (left === 0) fatal("error starting vm: error at 'starting': exit status 1");
    await pause(100);
  }
  mkdirSync(context, { recursive: true });
  writeFileSync(
    join(context, 'meta.json'),
    JSON.stringify({
      Name: 'colima',
      Metadata: { Description: 'colima' },
      Endpoints: { docker: { Host: `unix://${socket}`, SkipTLSVerify: false } },
    }),
  );
  chooseContext('colima');
  return finish(0, { err: 'INFO[0000] done\n' });
}

async function stop(): Promise<never> {
  rmSync(context, { recursive: true, force: true });
  chooseContext(null);
  if (!existsSync(pidFile)) fatal('colima is not running');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  process.kill(pid, 'SIGINT');
  while (existsSync(`/proc/${pid}`)) await pause(100);
  return finish(0, { err: 'INFO[0000] done\n' });
}

if (verb === 'start') await start();
if (verb === 'stop' && words.length === 0) await stop();
fatal(`unknown command "${verb}" for "colima"`);
