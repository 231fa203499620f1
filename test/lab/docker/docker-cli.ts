/**
 * What runs when Docker.app's own `docker` is executed in the lab. It knows one command, `docker desktop restart
 * [-d|--detach]`, and that only where the bundle has the plugin (Docker Desktop 4.37 and newer).
 * Called by the kernel (binfmt_misc, flag P): docker-cli.js PATH ARGV0 ARGUMENTS…
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { finish } from '../facades/lib/say.js';

const [, , path = '', argv0 = '', ...args] = process.argv;
process.title = [argv0, ...args].join(' ');

const [command = '', verb = '', ...options] = args;
const plugin = resolve(path, '../../cli-plugins', `docker-${command}`);
if (command !== 'desktop' || !existsSync(plugin))
  finish(1, { err: `docker: '${command}' is not a docker command.\nSee 'docker --help'\n` });
if (verb !== 'restart') finish(1, { err: `unknown command: docker desktop ${verb}\n` });
const unknown = options.find((option) => option !== '-d' && option !== '--detach');
if (unknown !== undefined)
  finish(125, { err: `unknown flag: ${unknown}\nSee 'docker desktop restart --help'.\n` });

const data = join(process.env['HOME'] ?? '/', 'Library/Containers/com.docker.docker/Data');
const asked = Date.now();
try {
  process.kill(Number(readFileSync(join(data, 'docker-app.pid'), 'utf8')), 'SIGUSR2');
} catch {
  finish(1, { err: 'Docker Desktop is not running\n' });
}
const answers = (): boolean =>
  (statSync(join(data, 'engine.port'), { throwIfNoEntry: false })?.mtimeMs ?? 0) > asked;
while (options.length === 0 && !answers()) await pause(100);
finish(0);
