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

/** A completion script for bash or zsh. */
export function completionScript(program: Command, shell: 'bash' | 'zsh'): string {
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
