/** The help of every command, and the manual that is made of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Command } from 'commander';
import type { Io } from '../../../cli/io.js';
import { programOf } from '../../../cli/main.js';
import { renderManual } from '../../../cli/manual.js';
import { session } from './session.js';

const mac = session();
const { cli } = mac;

/** Each command as it is typed, those with commands below them too. */
const commandsOf = (command: Command, path: readonly string[] = []): string[] =>
  command.commands.flatMap((child) => {
    const at = [...path, child.name()];
    return [at.join(' '), ...commandsOf(child, at)];
  });

const every = commandsOf(programOf({} as Io, () => undefined));

test.each(['', ...every].flatMap((command) => [80, 120].map((columns) => [command, columns] as const)))(
  'help of %j in %i columns',
  async (command, columns) => {
    mac.io = { ...mac.io, stdout: { ...mac.io.stdout, columns } };
    expect(await cli(...command.split(' ').filter((word) => word !== ''), '--help')).toBe(0);
    expect(`\n${mac.out}`).toMatchSnapshot();
    const prose = mac.out.split('\n').filter((line) => !/^ +(sudo )?tuntapctl /.test(line));
    expect(prose.filter((line) => line.length > columns)).toEqual([]);
  },
);

test('the manual is made of the source as it is (node docs/make.mjs), and tells every command', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/tuntapctl.1'), 'utf8');
  expect(page).toBe(renderManual());
  for (const command of every)
    if (!['config', 'shim'].includes(command)) expect(page).toContain(`\n.SS tuntapctl ${command} `);
  // A line that begins with a dot or an apostrophe is a request to roff.
  for (const line of page.split('\n')) expect(line).not.toMatch(/^'|^\.(?!\\"|TH|SH|SS|TP|B |I )/);
});
