import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeConfig } from '../config/keys.js';
import { ConfigError, loadConfig } from '../config/load.js';
import { tomlValue } from '../config/toml-value.js';
import type { Status } from '../daemon/api/messages.js';
import { entryOf } from '../daemon/api/reasons/registry.js';
import { filled, inWords, linkOf } from '../daemon/api/reasons/remedies.js';
import { commandLine } from '../daemon/lib/command.js';
import { messageOf } from '../daemon/lib/text.js';
import { label } from '../daemon/lib/layout.js';
import { machineOf, macWith, runtimeFor, unsupported } from '../daemon/lib/runtimes.js';
import { type Distrust, distrusted } from '../daemon/lib/trusted-path.js';
import { type Answer, fail, pass, unclear } from './answer.js';
import { isAnswered, isClosed } from './client.js';
import { configuredTap } from './configured-tap.js';
import { CliError } from './exit.js';
import { installFix } from './installed.js';
import { inTheWay, kickstart, parts, room, versions } from './installed-checks.js';
import type { Io } from './io.js';
import { namesAnswer, namesFound } from './names-check.js';

export interface Check {
  /** Never given to another question. */
  readonly id: string;
  readonly question: string;
  /** Checks whose failure is the cause of this one’s: beside one of them it is not shown. */
  readonly after?: readonly string[];
  readonly ask: (io: Io, status: Status | CliError) => Promise<Answer>;
}

/** An installation has a few files; this is a bound, not a limit of it. */
const maxFiles = 1000;

const permissions = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

async function presence(path: string): Promise<Awaited<ReturnType<typeof lstat>> | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The prefix wholly, but nothing else of a folder that is not ours. */
function repairFor(path: string, { prefix }: Io['layout']): string {
  const wholly = path === prefix ? '-R ' : '';
  return `sudo chown ${wholly}root:wheel ${path} && sudo chmod ${wholly}go-w ${path}`;
}

async function installation({ layout }: Io): Promise<Answer> {
  if (!(await presence(layout.prefix)))
    return fail(`${layout.prefix} does not exist`, await installFix(layout));
  const files = (await readdir(layout.prefix, { recursive: true })).slice(0, maxFiles);
  const trust = { from: layout.root, uid: layout.owner.uid };
  const problems = new Map<string, Distrust>();
  for (const path of ['', ...files])
    for (const problem of await distrusted(join(layout.prefix, path), trust))
      problems.set(`${problem.path} ${problem.why}`, problem);
  if (problems.size === 0) return pass(`${files.length} files below ${layout.prefix}`);
  // By the name asked for and by its own: either may be a link.
  const ours = [layout.prefix, await realpath(layout.prefix)];
  const isOurs = (path: string): boolean => ours.some((own) => path === own || path.startsWith(`${own}/`));
  const paths = [...problems.values()].map(({ path }) => path);
  const fixes = paths.map((path) => repairFor(isOurs(path) ? layout.prefix : path, layout));
  // Whoever owned a program may have changed it.
  const found = await Promise.all(paths.filter(isOurs).map(presence));
  const isSomebodys = found.some((file) => file?.isFile() === true && Number(file.uid) !== layout.owner.uid);
  if (isSomebodys) fixes.push(await installFix(layout));
  return fail([...problems.keys()].slice(0, 5).join('; '), ...new Set(fixes));
}

async function link({ layout }: Io): Promise<Answer> {
  const { cli, cliLink } = layout;
  const found = await presence(cliLink);
  const target = found?.isSymbolicLink() ? await readlink(cliLink) : 'something of its own';
  if (found && target === cli) return pass(cliLink);
  const detail = found ? `${cliLink} is ${target}, not ${cli}` : `${cliLink} does not exist`;
  if (!(await presence(cli))) return fail(detail, await installFix(layout));
  const folder = dirname(cliLink);
  return fail(
    detail,
    ...((await presence(folder)) ? [] : [`sudo mkdir -p ${folder}`]),
    ...(found && !found.isSymbolicLink() ? [`sudo mv ${cliLink} ${cliLink}.old`] : []),
    `sudo ln -sfn ${cli} ${cliLink}`,
  );
}

async function plist({ layout }: Io): Promise<Answer> {
  const found = await presence(layout.plist);
  if (!found) return fail(`${layout.plist} does not exist`, await installFix(layout));
  const repair = `sudo chown root:wheel ${layout.plist} && sudo chmod 644 ${layout.plist}`;
  if (!found.isFile())
    return fail(`${layout.plist} is not a regular file`, `sudo rm ${layout.plist}`, await installFix(layout));
  if (Number(found.uid) !== layout.owner.uid)
    return fail(`${layout.plist} belongs to uid ${Number(found.uid)}: launchd refuses it`, repair);
  return (Number(found.mode) & 0o022) !== 0
    ? fail(`${layout.plist} has mode ${permissions(Number(found.mode))}: launchd refuses it`, repair)
    : pass(layout.plist);
}

async function loaded({ run, layout }: Io): Promise<Answer> {
  const { exitCode, stderr } = await run('/bin/launchctl', ['print', `system/${label}`]);
  return exitCode === 0
    ? pass(`system/${label}`)
    : fail(
        `launchctl: ${stderr.trim() || `exit ${exitCode}`}`,
        `sudo launchctl enable system/${label}`,
        `sudo launchctl bootstrap system ${layout.plist}`,
      );
}

async function socket({ socketPath, layout }: Io): Promise<Answer> {
  const found = await presence(socketPath);
  if (!found) return fail(`${socketPath} does not exist`, kickstart);
  if (!found.isSocket()) return fail(`${socketPath} is not a socket`, `sudo rm ${socketPath}`, kickstart);
  const mode = Number(found.mode) & 0o777;
  return Number(found.uid) === layout.owner.uid && Number(found.gid) === layout.readers && mode === 0o660
    ? pass(socketPath)
    : fail(
        `${socketPath} has uid ${Number(found.uid)}, gid ${Number(found.gid)}, mode ${permissions(mode)}`,
        kickstart,
      );
}

async function configuration({ configPath, layout }: Io): Promise<Answer> {
  const { source } = await loadConfig(configPath, { owner: layout.owner.uid });
  return pass(source);
}

const machine = async ({ run }: Io): Promise<ReturnType<typeof machineOf>> =>
  machineOf((await run('/usr/bin/uname', ['-mv'])).stdout);

/** The daemon knows which ways there are; what of them this Mac and its Docker leave open is asked here. */
async function wayToVm(io: Io, status: Status | CliError): Promise<Answer> {
  const mac = macWith[(await machine(io)).processor];
  if (status instanceof CliError) return unclear(`this is ${mac}; the daemon, which looks, does not answer`);
  const deadEnd = status.conditions.find(
    (condition) =>
      condition.status !== 'True' && entryOf(condition.type, condition.reason)?.isTerminal === true,
  );
  if (!deadEnd) return pass(`this is ${mac}, and nothing rules out a link`);
  const { whatToDo = [] } = entryOf(deadEnd.type, deadEnd.reason) ?? {};
  const link = linkOf(status, await configuredTap(io));
  return fail(`this is ${mac}: ${deadEnd.message}`, ...whatToDo.map((each) => inWords(filled(each, link))));
}

async function system({ run }: Io): Promise<Answer> {
  const { stdout, stderr, exitCode } = await run('/usr/bin/sw_vers', ['-productVersion']);
  const version = stdout.trim();
  if (exitCode !== 0 || !/^\d+(\.\d+)*$/.test(version))
    return unclear(`sw_vers: ${stderr.trim() || version || `exit ${exitCode}`}`);
  return pass(`macOS ${version}`);
}

async function runtime(io: Io): Promise<Answer> {
  const { run, layout } = io;
  const { processor, isTranslated } = await machine(io);
  const macos = (await run('/usr/bin/sw_vers', ['-productVersion'])).stdout.trim();
  const { stdout } = await run(layout.cliRuntime, ['--version']);
  const installed = stdout.trim().replace(/^v/, '');
  const wanted = runtimeFor(macos, processor);
  if (!wanted || installed === '') return unclear(`node ${installed || 'unknown'} on macOS ${macos}`);
  if (isTranslated)
    return fail(
      `node ${installed} is one for Intel, which Rosetta runs on ${macWith.arm64}`,
      'In the checkout, as yourself, with a node for Apple silicon: rm -rf node_modules && npm ci',
      await installFix(layout),
    );
  return installed === wanted.version
    ? pass(unsupported(wanted, macos) ?? `node ${installed}`)
    : fail(`node ${installed}, where macOS ${macos} runs node ${wanted.version}`, await installFix(layout));
}

/** A daemon that answers, or refuses this account, does the same after a restart; what such an account may not ask it may not read. */
function answering(status: Status | CliError): Answer {
  if (!(status instanceof CliError)) return pass(`pid ${status.pid}`);
  if (isClosed(status)) return fail(status.message, 'sudo tuntapctl doctor');
  return fail(status.message, ...(isAnswered(status) ? [] : [kickstart]), 'tuntapctl logs -n 50');
}

/** A check of names: the daemon knows which there are. */
const ofNames =
  (check: (io: Io, status: Status) => Promise<Answer>): Check['ask'] =>
  (io, status) =>
    status instanceof CliError
      ? Promise.resolve(unclear('the daemon, which knows the names, does not answer'))
      : check(io, status);

/** What is asked of every Mac, in this order; what the daemon's own conditions say comes after. */
export const checks: readonly Check[] = [
  { id: 'TT001', question: 'Is there a way to this Docker’s VM?', ask: wayToVm },
  { id: 'TT002', question: 'Which macOS is it?', ask: system },
  { id: 'TT003', question: 'Can only root change what root executes?', ask: installation },
  { id: 'TT004', question: 'Do shells find tuntapctl?', ask: link },
  { id: 'TT005', question: 'Will launchd accept the plist?', ask: plist },
  { id: 'TT006', question: 'Has launchd loaded the daemon?', ask: loaded },
  {
    id: 'TT007',
    question: 'Is the control socket open to root and admin alone?',
    after: ['TT006'],
    ask: socket,
  },
  {
    id: 'TT008',
    question: 'Does the daemon answer?',
    after: ['TT006', 'TT007', 'TT009'],
    ask: (_io, status) => Promise.resolve(answering(status)),
  },
  { id: 'TT009', question: 'Do daemon and tuntapctl have the same version?', ask: versions },
  { id: 'TT010', question: 'Is the configuration valid, and writable by root alone?', ask: configuration },
  { id: 'TT011', question: 'Does root run the newest runtime for this macOS?', ask: runtime },
  {
    id: 'TT012',
    question: 'Does tuntapd’s server answer for a container’s name?',
    ask: ofNames(namesAnswer),
  },
  {
    id: 'TT013',
    question: 'Do programs find a container by its name?',
    after: ['TT012'],
    ask: ofNames(namesFound),
  },
  { id: 'TT014', question: 'Is there room on the disk for log and journal?', ask: room },
  { id: 'TT015', question: 'Are shim and runtime those that were installed?', ask: parts },
  { id: 'TT016', question: 'Can something else on this Mac be in the way?', ask: inTheWay },
];

/** The command that gives the keys that are wrong their defaults; null where one of them has none, or is none. */
function backToDefaults({ problems }: ConfigError): string | null {
  const keys = describeConfig();
  const words = problems.flatMap(({ key }): (string | null)[] => {
    const known = keys.find((one) => one.key === key.replace(/\[\d+\]$/, ''));
    return known?.default === undefined ? [null] : [known.key, tomlValue(known.default)];
  });
  const given = words.filter((word) => word !== null);
  return given.length < Math.max(words.length, 1)
    ? null
    : commandLine('sudo', ['tuntapctl', 'config', 'set', ...given]);
}

/** `ask`, with a crash of it as an answer: one check that fails to run is not the end. */
export async function askSafely(check: Check, io: Io, status: Status | CliError): Promise<Answer> {
  try {
    return await check.ask(io, status);
  } catch (error) {
    const message = messageOf(error);
    if (error instanceof ConfigError && error.isClosed)
      return unclear(message, 'sudo tuntapctl config check');
    return error instanceof ConfigError
      ? fail(message, error.fix ?? backToDefaults(error) ?? 'tuntapctl config check')
      : unclear(message);
  }
}
