/** Completion, in the shells themselves. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { session } from './session.js';

const mac = session();
const { cli } = mac;

test('completion as JSON', async () => {
  expect(await cli('completion', 'zsh', '--json')).toBe(0);
  expect(JSON.parse(mac.out)).toMatchObject({
    shell: 'zsh',
    script: expect.stringMatching(/^#compdef/) as unknown,
  });
});

test.each([['bash'], ['zsh']])('completion for %s', async (shell) => {
  expect(await cli('completion', shell)).toBe(0);
  expect(mac.out).toContain('complete -F _tuntapctl tuntapctl');
});

test('fish is told every command and option with its description, and nothing that breaks its quotes', async () => {
  expect(await cli('completion', 'fish')).toBe(0);
  expect(mac.out).toContain("complete -c tuntapctl -n 'not __fish_seen_subcommand_from status ");
  expect(mac.out).toMatch(/-n '__fish_seen_subcommand_from logs' -s f -l follow -d 'print new lines/);
  expect(mac.out).toMatch(/-n '__fish_seen_subcommand_from logs' -l level -x -a 'error warn info debug'/);
  expect(mac.out).toMatch(
    /-n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from set' -a tap\.mtu -d /,
  );
  for (const line of mac.out.trimEnd().split('\n'))
    expect(line).toMatch(/^complete -c tuntapctl( -[a-z] ?('([^'\\]|\\.)*'|[\w.-]+)?)*$/);
});

test('bash completes commands, subcommands and options', async () => {
  await cli('completion', 'bash');
  const complete = (...words: string[]): string[] =>
    execFileSync(
      'bash',
      [
        '-c',
        `${mac.out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tuntapctl; echo "\${COMPREPLY[@]}"`,
        '-',
        ...words,
      ],
      { encoding: 'utf8' },
    )
      .trim()
      .split(' ');
  expect(complete('tuntapctl', 'st')).toEqual(['status']);
  expect(complete('tuntapctl', 'config', 's')).toEqual(['show', 'set', 'schema']);
  expect(complete('tuntapctl', 'logs', '--f')).toEqual(['--follow']);
  expect(complete('tuntapctl', 'completion', 'z')).toEqual(['zsh']);
  expect(complete('tuntapctl', 'help', 'st')).toEqual(['status']);
  expect(complete('tuntapctl', 'config', 'help', 'sc')).toEqual(['schema']);
  expect(complete('tuntapctl', 'logs', '-n', '')).toEqual(['']);
  expect(complete('tuntapctl', 'logs', '-n', '50', '--f')).toEqual(['--follow']);
  expect(complete('tuntapctl', 'config', 'set', 'tap.p')).toEqual(['tap.peer', 'tap.prefix']);
  expect(complete('tuntapctl', 'config', 'set', 'tap.peer', 'tap.p')).toEqual(['']);
  expect(complete('tuntapctl', 'config', 'set', 'tap.peer', '10.9.0.2', '--json', 'tap.a')).toEqual([
    'tap.address',
  ]);
});

// Every Mac has zsh; a Linux machine may have none.
const withZsh = spawnSync('zsh', ['-c', '']).error ? test.skip : test;

withZsh.each([
  ['as a file in fpath, from the first TAB', 'autoload -U compinit; compinit -u -D'],
  ['sourced', 'autoload -U compinit; compinit -u -D; source $fpath[1]/_tuntapctl'],
])('zsh completes %s', async (_name, rc) => {
  await cli('completion', 'zsh');
  await writeFile(join(mac.root, '_tuntapctl'), mac.out);
  await writeFile(join(mac.root, '.zshrc'), `PS1='> '; fpath=(${mac.root} $fpath); ${rc}; print ready\n`);
  const script = `
    zmodload zsh/zpty
    zpty shell 'ZDOTDIR=${mac.root} TERM=dumb zsh -i'
    zpty -r shell text '*ready*'
    zpty -w -n shell $'tuntapctl stat\\t'
    zpty -r -m shell text '*status *'
    zpty -w -n shell $'\\C-utuntapctl config set tap.mt\\t'
    zpty -r -m shell text '*tap.mtu *'
    print done`;
  expect(execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8', timeout: 10_000 })).toBe('done\n');
});
