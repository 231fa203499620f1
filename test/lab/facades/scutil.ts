/** `scutil` with `show State:/Users/ConsoleUser` on stdin, and `scutil --dns` (configd, scutil.tproj). */
import type { Login, Logins } from '../mac/logins.js';
import type { DnsResolver } from '../mac/dns/configuration.js';
import { type Caller, finish } from './lib/served.js';

const loginWindow = 'loginwindow';

export async function scutil({ args, call, stdin }: Caller): Promise<never> {
  if (args[0] === '--dns' && args.length === 1) finish(...(await dns(call)));
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

/** The two that this Mac meets: a server that is the Mac itself, and one beyond a router. */
const reachOf = ({ isMulticast, nameservers: [first = ''] }: DnsResolver): string =>
  isMulticast
    ? '0x00000000 (Not Reachable)'
    : first.startsWith('127.')
      ? '0x00030002 (Reachable,Local Address,Directly Reachable Address)'
      : '0x00000002 (Reachable)';

/** A resolver as configd shows it (dnsinfo_logging.h): what is not set is left out. Up to macOS 14 `port` is a signed short. */
function block(resolver: DnsResolver, number: number, macos: string, scoped = false): string {
  const { domain, nameservers, port, timeout, isMulticast, records, order, interface: by } = resolver;
  const flags = [
    ...(scoped ? ['Scoped'] : []),
    ...(records.a ? ['Request A records'] : []),
    ...(records.aaaa ? ['Request AAAA records'] : []),
  ];
  const shown = port !== null && port > 0x7fff && Number.parseInt(macos, 10) < 15 ? port - 0x1_0000 : port;
  return [
    `resolver #${number}`,
    ...(domain === null ? [] : [`  domain   : ${domain}`]),
    ...nameservers.map((server, index) => `  nameserver[${index}] : ${server}`),
    ...(isMulticast ? ['  options  : mdns'] : []),
    ...(shown === null ? [] : [`  port     : ${shown}`]),
    ...(timeout === null ? [] : [`  timeout  : ${timeout}`]),
    ...(by ? [`  if_index : ${by.index} (${by.name})`] : []),
    ...(flags.length === 0 ? [] : [`  flags    : ${flags.join(', ')}`]),
    `  reach    : ${reachOf(resolver)}`,
    ...(order === 0 ? [] : [`  order    : ${order}`]),
    '',
    '',
  ].join('\n');
}

async function dns(call: Caller['call']): Promise<[status: number, said: { out: string }]> {
  const [resolvers, { macos }] = await Promise.all([
    call<readonly DnsResolver[]>('dns.configuration'),
    call<{ macos: string }>('mac.about'),
  ]);
  if (resolvers.length === 0) return [1, { out: 'No DNS configuration available\n' }];
  const all = resolvers.map((resolver, index) => block(resolver, index + 1, macos)).join('');
  const scoped = resolvers
    .filter(({ interface: by }) => by !== null)
    .map((resolver, index) => block(resolver, index + 1, macos, true))
    .join('');
  const parts = [`DNS configuration\n\n${all}`];
  if (scoped !== '') parts.push(`DNS configuration (for scoped queries)\n\n${scoped}`);
  return [0, { out: `${parts.join('').trimEnd()}\n` }];
}
