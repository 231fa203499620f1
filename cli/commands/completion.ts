import type { Command } from 'commander';

interface Words {
  readonly path: string;
  readonly words: readonly string[];
}

/** What can follow each command, taken from the commands themselves. */
function wordsOf(command: Command, path: readonly string[] = []): Words[] {
  const visible = command.createHelp().visibleCommands(command);
  const options = command
    .createHelp()
    .visibleOptions(command)
    .map(({ long }) => long ?? '')
    .filter((long) => long !== '');
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const words = [...visible.map((child) => child.name()), ...choices, ...options];
  return [
    { path: path.join(' '), words },
    ...visible
      .filter((child) => child.name() !== 'help')
      .flatMap((child) => wordsOf(child, [...path, child.name()])),
  ];
}

/** A completion script for bash or zsh. */
export function completionScript(program: Command, shell: 'bash' | 'zsh'): string {
  const cases = wordsOf(program)
    .map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`)
    .join('\n');
  const body = `_tuntapctl() {
  local path='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) ;;
      *) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _tuntapctl tuntapctl
`;
  return shell === 'bash' ? body : `#compdef tuntapctl\nautoload -U +X bashcompinit && bashcompinit\n${body}`;
}
