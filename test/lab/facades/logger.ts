/** `logger [-is] [-f file] [-p pri] [-t tag] [message …]` (logger.c): a line in /var/log/system.log, by the machine. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { call } from '../mac/rpc.js';
import { people } from '../mac/people.js';
import { finish, myUid } from './lib/say.js';

const usage = 'usage: logger [-is] [-f file] [-p pri] [-t tag] [message ...]\n';
const facilities =
  'auth authpriv cron daemon ftp install kern lpr mail netinfo news remoteauth security syslog user uucp local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
const levels = 'alert crit debug emerg err error info none notice panic warn warning'.split(' ');

const args = process.argv.slice(2);
let tag = people().find(({ uid }) => uid === myUid())?.name ?? '#unknown';
let id = '';
let echo = false;
let file: string | null = null;
while (args[0]?.startsWith('-') && args[0] !== '-') {
  const option = args.shift() ?? '';
  if (option === '--') break;
  const value = (): string => {
    const given = option.length > 2 ? option.slice(2) : args.shift();
    if (given === undefined)
      finish(1, { err: `logger: option requires an argument -- ${option[1] ?? ''}\n${usage}` });
    return given;
  };
  if (/^-[is]+$/.test(option)) {
    if (option.includes('i')) id = `[${process.pid}]`;
    if (option.includes('s')) echo = true;
  } else if (option.startsWith('-t')) tag = value();
  else if (option.startsWith('-f')) file = value();
  else if (option.startsWith('-p')) {
    const priority = value();
    const [facility, level] = priority.includes('.') ? priority.split('.') : ['user', priority];
    if (!facilities.includes(facility ?? ''))
      finish(1, { err: `logger: unknown facility name: ${facility ?? ''}\n` });
    if (!levels.includes(level ?? '')) finish(1, { err: `logger: unknown priority name: ${level ?? ''}\n` });
  } else finish(1, { err: `logger: illegal option -- ${option[1] ?? ''}\n${usage}` });
}
const lines =
  args.length > 0
    ? [args.join(' ')]
    : readFileSync(file ?? 0, 'utf8')
        .split('\n')
        .filter(Boolean);
const now = new Date();
const stamp = `${now.toUTCString().slice(8, 11)} ${String(now.getUTCDate()).padStart(2)} ${now.toISOString().slice(11, 19)}`;
for (const line of lines) {
  await call('mac.syslog', { line: `${stamp} ${hostname().split('.')[0] ?? ''} ${tag}${id}: ${line}` });
  if (echo) process.stderr.write(`${tag}${id}: ${line}\n`);
}
finish(0);
