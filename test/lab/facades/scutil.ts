/** `scutil` with `show State:/Users/ConsoleUser` on stdin, and `scutil --dns` (configd, scutil.tproj). */
import { readFileSync } from 'node:fs';
import type { Login, Logins } from '../mac/logins.js';
import { type FileResolver, resolverFiles } from '../mac/resolver-files.js';
import { type Caller, finish } from './lib/served.js';

const loginWindow = 'loginwindow';

export async function scutil({ args, call, stdin }: Caller): Promise<never> {
  if (args[0] === '--dns' && args.length === 1) finish(0, { out: dns() });
  if (args.length > 0)
    finish(64, {
      err: `scutil: unrecognized option \`${args[0] ?? ''}'\nusage: scutil\n\tinteractive access to the dynamic store.\n\n   or: scutil --dns\n\tshow DNS configuration.\n`,
    });

  let out = '';
  for (const line of (await stdin()).split('\n')) {
    const [command, key] = line.trim().split(/\s+/);
    if (command === undefined || command === '' || command === 'open' || command === 'close') continue;
    if (command === 'quit' || command === 'exit') break;
    if (command === 'show' && key !== undefined) out += await show(call, key);
    else out += `${command}: unknown, type "help" for command info\n`;
  }
  finish(0, { out });
}

async function show(call: Caller['call'], key: string): Promise<string> {
  if (key !== 'State:/Users/ConsoleUser') return '  No such key\n';
  const { all, front, last } = await call<Logins>('mac.logins');
  const windows = front ? all : [...all, null];
  const sessions = windows.map((login, index) => session(index, login, login?.number === front?.number));
  return `<dictionary> {
  GID : ${last?.person.gid ?? 0}
  Name : ${last?.name ?? loginWindow}
  SessionInfo : <array> {
${sessions.join('')}  }
  UID : ${last?.person.uid ?? 0}
}
`;
}

/** The entry of a login; null is the login window's own session, which has the screen while nobody has. */
function session(index: number, login: Login | null, onConsole: boolean): string {
  const audit = login ? 100_005 + login.number : 100_000;
  const longName = login ? `\n      kCGSessionLongUserNameKey : ${login.person.realName}` : '';
  return `    ${index} : <dictionary> {
      kCGSSessionAuditIDKey : ${audit}
      kCGSSessionGroupIDKey : ${login?.person.gid ?? 0}
      kCGSSessionIDKey : ${257 + (login?.number ?? 0)}
      kCGSSessionLoginwindowSafeLogin : FALSE
      kCGSSessionOnConsoleKey : ${onConsole ? 'TRUE' : 'FALSE'}
      kCGSSessionSystemSafeBoot : FALSE
      kCGSSessionUserIDKey : ${login?.person.uid ?? 0}
      kCGSSessionUserNameKey : ${login?.name ?? loginWindow}
      kCGSessionLoginDoneKey : ${login ? 'TRUE' : 'FALSE'}${longName}
      kSCSecuritySessionID : ${audit}
    }
`;
}

/** A resolver of a file as configd shows it (dnsinfo_logging.h): no `Supplemental`, and what is not set is left out. */
function block({ domain, nameservers, port, timeout, flags }: FileResolver, number: number): string {
  const asked = flags
    ? ['a', 'aaaa']
        .filter((flag) => flags.includes(flag))
        .map((flag) => `Request ${flag.toUpperCase()} records`)
    : ['Request A records'];
  return [
    `resolver #${number}`,
    `  domain   : ${domain}`,
    ...nameservers.map((server, index) => `  nameserver[${index}] : ${server}`),
    ...(port === null ? [] : [`  port     : ${port}`]),
    ...(timeout === null ? [] : [`  timeout  : ${timeout}`]),
    `  flags    : ${asked.join(', ')}`,
    '  reach    : 0x00030002 (Reachable,Local Address,Directly Reachable Address)',
    '',
    '',
  ].join('\n');
}

function dns(): string {
  const servers = readFileSync('/etc/resolv.conf', 'utf8')
    .split('\n')
    .flatMap((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  const files = resolverFiles();
  if (servers.length === 0 && files.length === 0) return 'No DNS configuration available\n';
  if (servers.length === 0)
    return `DNS configuration\n\n${files.map((file, index) => block(file, index + 1)).join('')}`;
  const list = servers.map((server, index) => `  nameserver[${index}] : ${server}\n`).join('');
  return `DNS configuration

resolver #1
${list}  flags    : Request A records
  reach    : 0x00000002 (Reachable)

${files.map((file, index) => block(file, index + 2)).join('')}DNS configuration (for scoped queries)

resolver #1
${list}  if_index : 4 (en0)
  flags    : Scoped, Request A records
  reach    : 0x00000002 (Reachable)
`;
}
