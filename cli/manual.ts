/** The manual page, made from the commands themselves. Pure. */
import type { Command } from 'commander';
import { configPath } from '../config/load.js';
import { layoutAt } from '../daemon/lib/layout.js';
import { examples } from './examples.js';
import type { Io } from './io.js';
import { exitCodes, programOf } from './main.js';

/** Text that roff takes for nothing else (groff(7)): no escape, no request, no hyphen that is a minus. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1')
    .replaceAll(/[^\x20-\x7e\n]/gu, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return `\\[u${code.toString(16).toUpperCase().padStart(4, '0')}]`;
    });

const item = (term: string, text: string): string => `.TP\n.B ${roff(term)}\n${roff(text)}`;

function section(command: Command, path: string): string[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  if (children.length > 0)
    return children.flatMap((child) =>
      section(child, path === '' ? child.name() : `${path} ${child.name()}`),
    );
  const usage = ['tuntapctl', path, command.usage()].join(' ');
  return [
    `.SS ${roff(usage)}`,
    roff(command.description()),
    ...help
      .visibleArguments(command)
      .map((argument) => item(argument.name(), help.argumentDescription(argument))),
    ...help
      .visibleOptions(command)
      .filter(({ long }) => long !== '--help')
      .map((option) => item(help.optionTerm(option), help.optionDescription(option))),
  ];
}

/** The page tuntapctl(1), in man(7). */
export function renderManual(): string {
  // Nothing of it is run, so nothing outside is touched.
  const program = programOf({} as Io, () => undefined);
  const layout = layoutAt();
  return [
    '.\\" Made from cli/main.ts by cli/manual.ts: node docs/make.mjs',
    '.TH TUNTAPCTL 1 "" tuntapd',
    '.SH NAME',
    'tuntapctl \\- a window onto tuntapd',
    '.SH SYNOPSIS',
    '.B tuntapctl\n.I command\n[\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    roff(program.description()),
    '.SH COMMANDS',
    ...section(program, ''),
    '.SH EXAMPLES',
    ...Object.values(examples).flatMap((list) => list.map(([line, what]) => item(line, what))),
    '.SH EXIT STATUS',
    ...exitCodes.map(([code, meaning]) => item(String(code), meaning)),
    '.SH FILES',
    item(configPath, 'the configuration; it need not exist'),
    item(`${layout.logs}/tuntapd.log`, 'the log'),
    item(layout.launchdLog, 'what the runtime said when it crashed'),
    item(layout.socket, 'where the daemon is asked, by root and administrators'),
    '',
  ].join('\n');
}
