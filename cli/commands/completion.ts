import type { Command } from 'commander';
import { describeConfig } from '../../config/keys.js';

interface Place {
  /** The command as it is typed, each word after a blank: ` config set`; empty for none yet. */
  readonly at: string;
  /** What can follow it. */
  readonly words: readonly string[];
  /** Those of its options after which a value comes. */
  readonly valued: readonly string[];
}

/** What can follow each command, taken from the commands themselves. */
function placesOf(command: Command, at = ''): Place[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const names = children.map((child) => child.name());
  const options = help.visibleOptions(command);
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return [
    {
      at,
      words: [...names, ...choices, ...options.flatMap(({ long }) => long ?? [])],
      valued: options
        .filter(({ required }) => required)
        .flatMap(({ short, long }) => [short ?? [], long ?? []].flat()),
    },
    ...children.flatMap((child) =>
      child.name() === 'help'
        ? [{ at: `${at} help`, words: names.filter((name) => name !== 'help'), valued: [] }]
        : placesOf(child, `${at} ${child.name()}`),
    ),
  ];
}

const anyOf = (patterns: readonly string[]): string => patterns.map((pattern) => `'${pattern}'`).join(' | ');

export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;

/** For fish: a condition for each command, by the words that stand before the cursor. */
function fishLines(command: Command, path: readonly string[] = []): string[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
  const unseen =
    children.length === 0
      ? []
      : [`not __fish_seen_subcommand_from ${children.map((child) => child.name()).join(' ')}`];
  const at = (conditions: readonly string[]): string =>
    conditions.length === 0 ? '' : ` -n ${quoted(conditions.join('; and '))}`;
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return [
    ...children.map(
      (child) =>
        `${at([...seen, ...unseen])} -a ${child.name()} -d ${quoted(help.subcommandDescription(child))}`,
    ),
    ...help.visibleOptions(command).map(({ short, long, description, required, argChoices }) => {
      const names = `${short ? ` -s ${short.slice(1)}` : ''}${long ? ` -l ${long.slice(2)}` : ''}`;
      const value = argChoices ? ` -x -a ${quoted(argChoices.join(' '))}` : required ? ' -x' : '';
      return `${at([...seen, ...unseen])}${names}${value} -d ${quoted(description)}`;
    }),
    ...(choices.length > 0 ? [`${at(seen)} -a ${quoted(choices.join(' '))}`] : []),
    ...children.flatMap((child) =>
      child.name() === 'help' ? [] : fishLines(child, [...path, child.name()]),
    ),
  ];
}

function fishScript(program: Command): string {
  const keys = describeConfig().map(
    ({ key, description }) =>
      ` -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from set' -a ${key} -d ${quoted(description.split('. ')[0] ?? '')}`,
  );
  return [
    'complete -c tuntapctl -f',
    ...[...fishLines(program), ...keys].map((line) => `complete -c tuntapctl${line}`),
    '',
  ].join('\n');
}

/** A completion script for a shell. */
export function completionScript(program: Command, shell: Shell): string {
  return shell === 'fish' ? fishScript(program) : bashScript(program, shell);
}

function bashScript(program: Command, shell: 'bash' | 'zsh'): string {
  const places = placesOf(program);
  const commands = places.map(({ at }) => at).filter((at) => at !== '');
  const valued = places.flatMap((place) => place.valued.map((option) => `${place.at} ${option}`));
  const keys = describeConfig().map(({ key }) => key);
  const body = `_tuntapctl() {
  local at='' arguments=0 offer='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${anyOf(commands)}) at="$at \${COMP_WORDS[i]}" ;;
      ${anyOf(valued)}) i=$((i + 1)) ;;
      "$at -"*) ;;
      *) arguments=$((arguments + 1)) ;;
    esac
  done
  ((i > COMP_CWORD)) && return
  case "$at" in
${places.map(({ at, words }) => `    '${at}') offer='${words.join(' ')}' ;;`).join('\n')}
  esac
  [[ "$at" == ' config set' ]] && ((arguments % 2 == 0)) && offer="$offer ${keys.join(' ')}"
  COMPREPLY=($(compgen -W "$offer" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _tuntapctl tuntapctl
`;
  return shell === 'bash'
    ? body
    : `#compdef tuntapctl
autoload -U +X bashcompinit && bashcompinit
${body}# As a file in fpath this was the function so far: the first word to complete is waiting.
if [[ "$funcstack[1]" == _tuntapctl ]]; then _bash_complete -F _tuntapctl; fi
`;
}
