import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../daemon/lib/text.js';
import { act } from './commands/act.js';
import { completionScript } from './commands/completion.js';
import {
  configCheck,
  configPathCommand,
  configSchemaCommand,
  configSet,
  configShow,
} from './commands/config.js';
import { doctor } from './commands/doctor.js';
import { logs } from './commands/logs.js';
import { names } from './commands/names.js';
import { routes } from './commands/routes.js';
import { shimShow } from './commands/shim.js';
import { status } from './commands/status.js';
import { version } from './commands/version.js';
import { CliError, exit } from './exit.js';
import type { Io } from './io.js';
import { painter, plainLines, printJson, printLine } from './terminal.js';

function toCount(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError('a whole number, like 50');
  return Number(text);
}

type Json = { json?: boolean };
const json = (): Option => new Option('--json', 'print JSON');

function build(io: Io, finish: (code: number) => void): Command {
  const program = new Command('tuntapctl')
    .description(
      'Containers in Docker Desktop’s HyperKit VM answer on their own IP addresses: a window onto tuntapd.',
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 done and healthy, 1 failed, 2 usage, 3 daemon not running, 4 degraded (status, doctor).',
    )
    .exitOverride()
    .showHelpAfterError('(see tuntapctl --help)')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // What is wrong quotes what was typed, or pasted.
      writeErr: (text) => io.stderr.write(plainLines(text)),
    });
  const add = (parent: Command, name: string, description: string): Command =>
    parent.command(name).description(description);

  add(program, 'status', 'how things are, and what to do')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await status(io, options));
    });
  add(program, 'logs', 'the daemon’s log, also when it does not run')
    .option('-f, --follow', 'print new lines as they arrive')
    .addOption(
      new Option('-n, --lines <count>', 'number of past lines to show').argParser(toCount).default(50),
    )
    .addOption(json())
    .action(async (options: { follow?: boolean; lines: number; json?: boolean }) => {
      finish(await logs(io, options));
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
  add(program, 'doctor', 'look at everything that can be wrong')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await doctor(io, options));
    });

  const config = add(program, 'config', 'the configuration file');
  add(config, 'show', 'what is in force')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await configShow(io, options));
    });
  add(config, 'path', 'where the file is')
    .addOption(json())
    .action((options: Json) => {
      finish(configPathCommand(io, options));
    });
  add(config, 'set', 'change keys, all or none (as root)')
    .argument('<key>', 'e.g. log.level')
    .argument('<value>', 'e.g. debug')
    .argument('[more...]', 'further keys and values: the two ends of the link, for instance, go together')
    .addOption(json())
    .action(async (key: string, value: string, more: readonly string[], options: Json) => {
      finish(await configSet(io, [key, value, ...more], options));
    });
  add(config, 'check', 'whether the daemon would take the file')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await configCheck(io, options));
    });
  add(config, 'schema', 'JSON Schema of the file')
    .addOption(json())
    .action(() => {
      finish(configSchemaCommand(io));
    });

  const shim = add(program, 'shim', 'the script that stands at hyperkit’s path');
  add(shim, 'show', 'print it exactly as it would be installed')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await shimShow(io, options));
    });
  add(shim, 'restore', 'put hyperkit back as Docker shipped it, and leave it so until up (as root)')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await act(io, 'restore', options));
    });
  add(program, 'routes', 'every Docker subnet, and whether it is routed')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await routes(io, options));
    });
  add(program, 'names', 'the names of containers, and what each stands for')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await names(io, options));
    });
  add(program, 'version', 'of tuntapctl and of the running daemon')
    .addOption(json())
    .action(async (options: Json) => {
      finish(await version(io, options));
    });
  add(program, 'completion', 'completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh']))
    .addOption(json())
    .action((shell: 'bash' | 'zsh', options: Json) => {
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
  const paint = painter(io, io.stderr);
  printLine(io.stderr, `${paint('red', 'tuntapctl:')} ${plainLines(messageOf(error))}`);
  if (error instanceof CliError) return error.code;
  return exit.failed;
}

/** Runs `tuntapctl` with these arguments (without node and script). Returns the exit code; never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let code: number = exit.healthy;
  try {
    await build(io, (result) => {
      code = result;
    }).parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return explain(io, error);
  }
}
