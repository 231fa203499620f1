/** `help` as a word of the command line. Pure. */
import type { Command } from 'commander';

/**
 * `help config set` and `config help set` as `config set --help`, which commander knows of one word alone. Of a command
 * that there is not as much is left as it takes to be told so; nothing is ever run.
 */
export function helpAsOption(program: Command, argv: readonly string[]): readonly string[] {
  let at = program;
  let isHelp = false;
  const path: string[] = [];
  for (const word of argv) {
    if (at.commands.length === 0) break;
    const child = at.commands.find((command) => command.name() === word);
    if (word === 'help' && !isHelp) isHelp = true;
    else if (child) {
      at = child;
      path.push(word);
    } else return isHelp ? [...path, word] : argv;
  }
  return isHelp ? [...path, '--help'] : argv;
}
