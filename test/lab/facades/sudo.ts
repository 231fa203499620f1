/** `sudo [-n] [-H] [-u USER|#UID] [--] [VAR=value…] COMMAND…` for root, as macOS's /etc/sudoers lets it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { groupsOf, people } from '../mac/people.js';
import { finish, myUid } from './lib/say.js';

const usage = 'usage: sudo -h | -K | -k | -V\nusage: sudo [-HnS] [-u user] [VAR=value] [-i|-s] [<command>]\n';
const args = process.argv.slice(2);
let who = 'root';
let newHome = false;
while (args[0]?.startsWith('-')) {
  const option = args.shift() ?? '';
  if (option === '--') break;
  if (option.startsWith('-u') || option === '--user') {
    const name = option.startsWith('-u') && option.length > 2 ? option.slice(2) : args.shift();
    if (name === undefined) finish(1, { err: `sudo: option requires an argument -- u\n${usage}` });
    who = name;
  } else if (/^-[Hn]+$/.test(option)) newHome ||= option.includes('H');
  else finish(1, { err: `sudo: invalid option -- ${option.slice(1)}\n${usage}` });
}
const set: Record<string, string> = {};
while (/^\w+=/.test(args[0] ?? '')) {
  const [name = '', ...value] = (args.shift() ?? '').split('=');
  set[name] = value.join('=');
}
const [command, ...rest] = args;
if (command === undefined) finish(1, { err: usage });
const everybody = people();
const me = everybody.find(({ uid }) => uid === myUid());
const target = everybody.find(({ name, uid }) =>
  who.startsWith('#') ? uid === Number(who.slice(1)) : name === who,
);
if (!target) finish(1, { err: `sudo: unknown user: ${who}\nsudo: unable to initialize policy plugin\n` });
// Nobody types a password here.
if (myUid() !== 0 && me?.uid !== target.uid) finish(1, { err: 'sudo: a password is required\n' });

const path = process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin';
const file = command.includes('/')
  ? command
  : path
      .split(':')
      .map((folder) => join(folder, command))
      .find((candidate) => existsSync(candidate));
if (file === undefined || !existsSync(file)) finish(1, { err: `sudo: ${command}: command not found\n` });

// env_reset and the env_keep list of macOS's sudoers: without -H it keeps the caller's HOME, too.
const keep = [
  'TERM',
  'COLORS',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'SSH_AUTH_SOCK',
  'DISPLAY',
  'EDITOR',
  'VISUAL',
];
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    keep.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  ),
  PATH: path,
  HOME: (newHome ? undefined : process.env['HOME']) ?? target.home,
  SHELL: target.shell,
  USER: target.name,
  LOGNAME: target.name,
  MAIL: process.env['MAIL'] ?? `/var/mail/${target.name}`,
  SUDO_COMMAND: [file, ...rest].join(' '),
  SUDO_USER: me?.name ?? 'root',
  SUDO_UID: String(myUid()),
  SUDO_GID: String(process.getgid?.() ?? 0),
  ...set,
};
if (myUid() === 0) {
  process.setgroups?.(groupsOf(target));
  process.setgid?.(target.gid);
  process.setuid?.(target.uid);
}
const child = spawn(file, rest, { argv0: command, stdio: 'inherit', env });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
child.once('error', (error: NodeJS.ErrnoException) => {
  finish(1, {
    err: `sudo: unable to execute ${file}: ${error.code === 'EACCES' ? 'Permission denied' : error.message}\n`,
  });
});
child.once('exit', (code, signal) => {
  // sudo ends by the command's own signal; a caller of it in a shell sees 128 + N.
  finish(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
});
