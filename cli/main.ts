import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../daemon/lib/text.js';
import { act } from './commands/act.js';
import { bugreport } from './commands/bugreport.js';
import { completionScript, type Shell, shells } from './commands/completion.js';
import {
  configCheck,
  configInit,
  configPathCommand,
  configSchemaCommand,
  configSet,
  configShow,
} from './commands/config.js';
import { doctor, doctorList } from './commands/doctor.js';
import { type LogOptions, logs } from './commands/logs.js';
import { metrics } from './commands/metrics.js';
import { names } from './commands/names.js';
import { open } from './commands/open.js';
import { ping } from './commands/ping.js';
import { routes } from './commands/routes.js';
import { shimShow } from './commands/shim.js';
import { status } from './commands/status.js';
import { uninstall } from './commands/uninstall.js';
import { version } from './commands/version.js';
import { version as ownVersion } from '../config/version.js';
import { watch } from './commands/watch.js';
import { examplesText } from './examples.js';
import { CliError, exit } from './exit.js';
import { helpAsOption } from './help-words.js';
import type { Io } from './io.js';
import { levels, momentOf } from './log-filter.js';
import { columnsOf, painter, plainLines, printJson, printLine } from './terminal.js';
import { usageError } from './usage-error.js';

function toCount(text: string): number {
  if (!/^\d{1,7}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number up to 9999999, like 50');
  return Number(text);
}

function toMoment(text: string, now: number): number {
  const moment = momentOf(text, now);
  if (moment === null)
    throw new InvalidArgumentError('It must be a time, like 10m, 1h, 2d or 2026-11-27T09:00');
  return moment;
}

function toPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw new InvalidArgumentError('It must be a regular expression, like route|tap1');
  }
}

const noJson =
  'metrics are text for Prometheus, and there is no JSON of them: leave out --json, or see tuntapctl status --json';

/** Says what is wrong, which may quote what was typed, or pasted. */
function complain(io: Io, text: string): void {
  printLine(io.stderr, `${painter(io, io.stderr)('red', 'tuntapctl:')} ${plainLines(text)}`);
}

type Json = { json?: boolean };
const json = (): Option => new Option('--json', 'print JSON');

/** The exit codes, and what each one says. */
export const exitCodes = [
  [exit.healthy, 'done and healthy'],
  [exit.failed, 'failed'],
  [exit.usage, 'usage'],
  [exit.notRunning, 'daemon not running'],
  [exit.degraded, 'degraded (status, doctor)'],
] as const;

/** All commands; `finish` is told the exit code of the one that is run. */
export function programOf(io: Io, finish: (code: number) => void): Command {
  const program = new Command('tuntapctl')
    .description(
      'Shows and controls tuntapd, by which containers in Docker’s VM answer the Mac on their own IP addresses.',
    )
    .addHelpText(
      'after',
      ['', 'Exit codes:', ...exitCodes.map(([code, meaning]) => `  ${code}  ${meaning}`)].join('\n'),
    )
    .version(ownVersion, '-V, --version', 'print the version of tuntapctl')
    .exitOverride()
    .showHelpAfterError('(see tuntapctl --help)')
    .configureOutput({
      getOutHelpWidth: () => columnsOf(io.stdout),
      getErrHelpWidth: () => columnsOf(io.stderr),
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(plainLines(text)),
      outputError: (text) => {
        complain(io, usageError(text.trimEnd()));
      },
    });
  const add = (parent: Command, name: string, description: string): Command => {
    const path = parent === program ? name : `${parent.name()} ${name}`;
    return parent
      .command(name)
      .description(description)
      .showHelpAfterError(`(see tuntapctl ${path} --help)`)
      .addHelpText('after', examplesText(path));
  };

  add(program, 'status', 'show what works, what does not, and what to do about it')
    .option('-v, --verbose', 'every condition with its times, and every container')
    .option('-w, --watch', 'show it anew whenever it changes, until Ctrl-C')
    .addOption(json())
    .action(async (options: Json & { verbose?: boolean; watch?: boolean }) => {
      finish(await (options.watch === true ? watch : status)(io, options));
    });
  add(program, 'logs', 'show the daemon’s log, even when the daemon does not run')
    .option('-f, --follow', 'print new lines as they arrive')
    .addOption(
      new Option('-n, --lines <count>', 'number of past lines to show: 50, or with --since all').argParser(
        toCount,
      ),
    )
    .addOption(
      new Option(
        '--since <time>',
        'lines from then on: 90s, 10m, 1h or 2d ago, or an ISO 8601 time',
      ).argParser((text) => toMoment(text, io.now())),
    )
    .addOption(new Option('--level <level>', 'lines of this level and worse').choices(levels))
    .addOption(
      new Option('--grep <pattern>', 'lines that match a regular expression, in either case').argParser(
        toPattern,
      ),
    )
    .addOption(json())
    .action(async ({ grep, ...options }: LogOptions & { grep?: RegExp }) => {
      finish(await logs(io, { ...options, ...(grep === undefined ? {} : { pattern: grep }) }));
    });
  for (const [action, description] of [
    ['up', 'bring the link up, and keep it up'],
    ['down', 'take the link down; it stays down, across reboots, until up'],
    ['restart', 'take the link down and up again'],
  ] as const)
    add(program, action, description)
      .addOption(json())
      .action(async (options: Json) => {
        finish(await act(io, action, options));
      });
  add(program, 'doctor', 'check everything that can be wrong')
    .argument('[code...]', 'these checks alone, e.g. TT103')
    .option('--list', 'print the checks with their codes instead')
    .addOption(json())
    .action(async (codes: readonly string[], options: Json & { list?: boolean }) => {
      finish(options.list === true ? doctorList(io, codes, options) : await doctor(io, codes, options));
    });

  add(program, 'bugreport', 'write one masked archive for a ticket; nothing is sent')
    .option('--show', 'print all of it instead of writing it')
    .option('-o, --output <file>', 'where to write it')
    .addOption(json())
    .action(async (options: Json & { show?: boolean; output?: string }) => {
      finish(await bugreport(io, options));
    });

  const config = add(program, 'config', 'show, check or change the configuration');
  add(config, 'show', 'print the configuration in force')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await configShow(io, options));
    });
  add(config, 'path', 'print the path of the file')
    .addOption(json())
    .action((options: Json) => {
      finish(configPathCommand(io, options));
    });
  add(config, 'init', 'write a commented file (as root)')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await configInit(io, options));
    });
  add(config, 'set', 'change keys, all or none (as root)')
    .argument('<key>', 'e.g. log.level')
    .argument('<value>', 'e.g. debug')
    .argument('[more...]', 'more keys and values, set together: tap.address and tap.peer, for instance')
    .addOption(json())
    .action(async (key: string, value: string, more: readonly string[], options: Json) => {
      finish(await configSet(io, [key, value, ...more], options));
    });
  add(config, 'check', 'check whether the file is valid')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await configCheck(io, options));
    });
  add(config, 'schema', 'print the JSON Schema of the file')
    .addOption(json())
    .action(() => {
      finish(configSchemaCommand(io));
    });

  const shim = add(program, 'shim', 'show the script that stands at hyperkit’s path, or remove it');
  add(shim, 'show', 'print the script exactly as it would be installed')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await shimShow(io, options));
    });
  add(shim, 'restore', 'restore hyperkit as Docker shipped it, until up (as root)')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await act(io, 'restore', options));
    });
  add(program, 'routes', 'list every Docker subnet, and whether it is routed')
    .option('-a, --all', 'also networks that have no subnet')
    .addOption(json())
    .action(async (options: Json & { all?: boolean }) => {
      finish(await routes(io, options));
    });
  add(program, 'names', 'list the names of containers, and what each stands for')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await names(io, options));
    });
  add(program, 'ping', 'check each hop on the way to a container')
    .argument('<container>', 'its name, also with its domain, the beginning of its id, or an address')
    .addOption(json())
    .action(async (container: string, options: Json) => {
      finish(await ping(io, container, options));
    });
  add(program, 'open', 'open a container in the browser')
    .argument('<container>', 'as for ping; with :PORT, or the likeliest of its ports is used')
    .addOption(json())
    .action(async (container: string, options: Json) => {
      finish(await open(io, container, options));
    });
  add(program, 'metrics', 'print what is counted, as text for Prometheus')
    .configureOutput({
      outputError: (text) => {
        complain(io, text.includes("'--json'") ? noJson : usageError(text.trimEnd()));
      },
    })
    .action(async () => {
      finish(await metrics(io));
    });
  add(program, 'uninstall', 'remove tuntapd, and give hyperkit back (as root)')
    .option('--purge', 'log and configuration too')
    .option('--force', 'go on even if hyperkit cannot be given back')
    .addOption(json())
    .action(async (options: Json & { purge?: boolean; force?: boolean }) => {
      finish(await uninstall(io, options));
    });
  add(program, 'version', 'print the versions of tuntapctl and of the running daemon')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await version(io, options));
    });
  add(program, 'completion', 'print a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(shells))
    .addOption(json())
    .action((shell: Shell, options: Json) => {
      const script = completionScript(program, shell);
      if (options.json === true) printJson(io, { shell, script });
      else io.stdout.write(script);
      finish(exit.healthy);
    });
  return program;
}

function explain(io: Io, error: unknown): number {
  // Commander has already said what it wanted to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.healthy : exit.usage;
  complain(io, messageOf(error));
  if (error instanceof CliError) return error.code;
  return exit.failed;
}

/** Runs `tuntapctl` with these arguments (without node and script). Returns the exit code; never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let code: number = exit.healthy;
  try {
    const program = programOf(io, (result) => {
      code = result;
    });
    await program.parseAsync([...helpAsOption(program, argv)], { from: 'user' });
    return code;
  } catch (error) {
    return explain(io, error);
  }
}
