import { homedir, hostname, userInfo } from 'node:os';
import { readConfigText } from '../../config/load.js';
import type { Status } from '../../daemon/api/messages.js';
import { label } from '../../daemon/lib/layout.js';
import { messageOf } from '../../daemon/lib/text.js';
import { archiveOf } from '../archive.js';
import { askStatus } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { readLog } from '../log-reader.js';
import { maskedRoutes, masker, type Private } from '../masking.js';
import { dockerNamesIn, dockerNamesInConfig, domainsIn, usersIn, zonesIn } from '../private-names.js';
import { pathFor, writeReport } from '../report-file.js';
import { plainLines, printJson, printLine, table } from '../terminal.js';
import { doctor } from './doctor.js';

/** Lines of the log: enough for a start of the VM with everything before it. */
const maxLines = 1000;

/** What maintainers of such tools ask for in every ticket, with the file that each goes to. */
const commands: readonly (readonly [file: string, program: string, ...args: string[]])[] = [
  ['macos.txt', '/usr/bin/sw_vers'],
  ['processor.txt', '/usr/bin/uname', '-mrs'],
  ['interfaces.txt', '/sbin/ifconfig', '-a'],
  ['routes.txt', '/usr/sbin/netstat', '-rn', '-f', 'inet'],
  ['routes6.txt', '/usr/sbin/netstat', '-rn', '-f', 'inet6'],
  ['kexts.txt', '/usr/sbin/kextstat', '-l'],
  ['resolvers.txt', '/usr/sbin/scutil', '--dns'],
  ['launchd.txt', '/bin/launchctl', 'print', `system/${label}`],
];

/** What a source says, or why it says nothing: a report of a broken Mac has holes. */
async function said(source: () => Promise<string>): Promise<string> {
  try {
    return await source();
  } catch (error) {
    return `not there: ${messageOf(error)}\n`;
  }
}

async function outputOf({ run }: Io, [, program, ...args]: (typeof commands)[number]): Promise<string> {
  const { stdout, stderr, exitCode } = await run(program, args);
  return `$ ${[program, ...args].join(' ')}\n${stdout}${stderr}${exitCode === 0 ? '' : `exit ${exitCode}\n`}`;
}

async function linesOf(path: string): Promise<string> {
  const lines: string[] = [];
  await readLog({ path, count: maxLines, onLine: (line) => lines.push(line) });
  return `${lines.join('\n')}\n`;
}

/** What `doctor` prints, as JSON. */
async function findings(io: Io): Promise<string> {
  let text = '';
  await doctor({ ...io, stdout: { write: (part) => (text += part) } }, [], { json: true });
  return text;
}

/** Names and the labels of each: aliases, and what a container's label says, stand nowhere else. */
function namesIn(told: Status['names']): readonly string[] {
  const { names = [], problems = [] } = told ?? {};
  const claimed = dockerNamesIn([...names.map(({ of }) => of), ...problems].join('\n'));
  const labels = names.flatMap(({ name }) => name.split('.')).filter((label) => /[^\d]/.test(label));
  return [...names.map(({ name }) => name), ...labels, ...claimed];
}

/** The user in front, whom a condition names (`ada (uid 501)`), who types, and whoever else any of the files tells of. */
function privateIn(status: Status | null, files: ReadonlyMap<string, string>): Private {
  const user = status?.conditions.find(({ type }) => type === 'ConsoleUser');
  const inFront = /^(.+) \(uid \d+\)$/.exec(user?.status === 'True' ? user.message : '')?.[1];
  const containers = status?.containers ?? [];
  const host = hostname();
  const texts = [...files.values()].join('\n');
  const fileOf = (name: string): string => files.get(name) ?? '';
  return {
    names: [
      inFront ?? '',
      userInfo().username,
      host,
      host.split('.')[0] ?? '',
      process.env['SUDO_USER'] ?? '',
      ...usersIn(texts),
    ],
    homes: [homedir(), userInfo().homedir],
    hosts: [...domainsIn(fileOf('resolvers.txt')), ...zonesIn(texts)],
    docker: [
      ...(status?.routes ?? []).map(({ network }) => network),
      ...containers.flatMap(({ name, project, service, endpoints }) => [
        name,
        project ?? '',
        service ?? '',
        ...endpoints.map(({ network }) => network),
      ]),
      ...namesIn(status?.names),
      ...dockerNamesIn(texts),
      ...dockerNamesInConfig(fileOf('config.toml')),
    ],
  };
}

async function collect(io: Io): Promise<ReadonlyMap<string, string>> {
  let silence = '';
  const status = await askStatus(io.socketPath).catch((error: unknown) => {
    silence = messageOf(error);
    return null;
  });
  const sources: [string, Promise<string>][] = [
    [
      'versions.txt',
      Promise.resolve(
        `tuntapctl ${io.version}\ntuntapd ${status?.version ?? `does not answer: ${silence}`}\n`,
      ),
    ],
    ['status.json', Promise.resolve(`${JSON.stringify(status, null, 2)}\n`)],
    ['doctor.json', said(() => findings(io))],
    ...commands.map((command): [string, Promise<string>] => [command[0], said(() => outputOf(io, command))]),
    ['tuntapd.log', said(() => linesOf(io.logPath))],
    ['launchd.log', said(() => linesOf(io.layout.launchdLog))],
    [
      'config.toml',
      said(
        async () =>
          (await readConfigText(io.configPath, { owner: io.layout.owner.uid })) ?? '# the defaults\n',
      ),
    ],
  ];
  const files = new Map(
    await Promise.all(sources.map(async ([name, source]): Promise<[string, string]> => [name, await source])),
  );
  const mask = masker(privateIn(status, files));
  return new Map(
    [...files].map(([name, text]) => [name, mask(name === 'routes.txt' ? maskedRoutes(text) : text)]),
  );
}

const two = (number: number): string => String(number).padStart(2, '0');

/** `tuntapd-report-20261127-1420.tar.gz`, by the local clock. */
function nameAt(now: number): string {
  const date = new Date(now);
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `tuntapd-report-${day}-${two(date.getHours())}${two(date.getMinutes())}.tar.gz`;
}

function show(io: Io, files: ReadonlyMap<string, string>, { json }: { json?: boolean }): number {
  if (json === true) printJson(io, { files: [...files].map(([name, text]) => ({ name, text })) });
  else for (const [name, text] of files) printLine(io.stdout, `== ${name}\n${plainLines(text, Infinity)}`);
  return exit.healthy;
}

/**
 * `tuntapctl bugreport`: tells what it holds, then writes one archive for a ticket; nothing is sent. With `show` all of
 * the text is printed instead, and nothing written. Throws CliError.
 */
export async function bugreport(
  io: Io,
  options: { json?: boolean; show?: boolean; output?: string },
): Promise<number> {
  if (options.show === true) return show(io, await collect(io), options);
  const path = pathFor(options.output ?? nameAt(io.now()));
  const files = await collect(io);
  if (options.json !== true) {
    printLine(io.stdout, 'The report holds, with homes, names, hosts, MACs and public addresses masked:');
    const rows = [...files].map(([name, text]) => [`  ${name}`, `${Buffer.byteLength(text)} bytes`]);
    for (const line of table(rows)) printLine(io.stdout, line);
    printLine(io.stdout, 'To read all of it: tuntapctl bugreport --show');
  }
  await writeReport(path, archiveOf(files, io.now()));
  if (options.json === true) printJson(io, { path, files: [...files.keys()] });
  else printLine(io.stdout, `${path} is written, and nothing was sent`);
  return exit.healthy;
}
