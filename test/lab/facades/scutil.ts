/** `scutil` with `show State:/Users/ConsoleUser` on stdin, and `scutil --dns` (configd, scutil.tproj). */
import { readFileSync } from 'node:fs';
import type { GuiUser } from './lib/gui.js';
import { type Caller, finish } from './lib/served.js';

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
  const user = await call<GuiUser | null>('mac.session');
  // At the login window the key is there, with the window's own session in it.
  const name = user?.name ?? 'loginwindow';
  const [uid, gid] = user ? [user.uid, user.gid] : [0, 0];
  return `<dictionary> {
  GID : ${gid}
  Name : ${name}
  SessionInfo : <array> {
    0 : <dictionary> {
      kCGSSessionAuditIDKey : ${user ? 100005 : 100000}
      kCGSSessionGroupIDKey : ${gid}
      kCGSSessionIDKey : 257
      kCGSSessionLoginwindowSafeLogin : FALSE
      kCGSSessionOnConsoleKey : TRUE
      kCGSSessionSystemSafeBoot : FALSE
      kCGSSessionUserIDKey : ${uid}
      kCGSSessionUserNameKey : ${name}
      kCGSessionLoginDoneKey : ${user ? 'TRUE' : 'FALSE'}
      kSCSecuritySessionID : ${user ? 100005 : 100000}
    }
  }
  UID : ${uid}
}
`;
}

function dns(): string {
  const servers = readFileSync('/etc/resolv.conf', 'utf8')
    .split('\n')
    .flatMap((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  if (servers.length === 0) return 'No DNS configuration available\n';
  const list = servers.map((server, index) => `  nameserver[${index}] : ${server}\n`).join('');
  return `DNS configuration

resolver #1
${list}  flags    : Request A records
  reach    : 0x00000002 (Reachable)

DNS configuration (for scoped queries)

resolver #1
${list}  if_index : 4 (en0)
  flags    : Scoped, Request A records
  reach    : 0x00000002 (Reachable)
`;
}
