/** Examples of each command, as they are typed, with what they are for: help and manual show them. */
export const examples: Readonly<Record<string, readonly (readonly [line: string, what: string])[]>> = {
  status: [
    ['tuntapctl status', 'what works, what does not, and what to do about it'],
    ['tuntapctl status --watch', 'the same, live'],
    ['tuntapctl status --json | jq -r .phase', 'one word for a script'],
  ],
  logs: [
    ['tuntapctl logs -f', 'follow it'],
    ['tuntapctl logs --since 1h --level warn', 'what went wrong in the last hour'],
    ['tuntapctl logs --since 1d --grep 172.18', 'all about one network'],
  ],
  doctor: [
    ['tuntapctl doctor', 'everything that can be wrong'],
    ['tuntapctl doctor TT103', 'one check'],
    ['tuntapctl doctor --list', 'the checks there are'],
  ],
  bugreport: [
    ['tuntapctl bugreport --show | less', 'read what a ticket would get'],
    ['tuntapctl bugreport -o ~/Desktop/tuntapd.tar.gz', 'write it'],
  ],
  routes: [['tuntapctl routes --all', 'also networks that can never be routed']],
  names: [
    ['tuntapctl names', 'what to type into the browser'],
    ["tuntapctl names --json | jq -r '.names[].name'", 'the names alone, without their zone'],
  ],
  ping: [
    ['tuntapctl ping web', 'why it can, or cannot, be reached'],
    ['tuntapctl ping 172.17.0.2', 'the same by address'],
    ['tuntapctl ping web.docker', 'and by one of its names'],
  ],
  open: [
    ['tuntapctl open web', 'on the likeliest of its ports'],
    ['tuntapctl open web:8080', 'on this one'],
    ['tuntapctl open web.docker', 'by that name'],
  ],
  down: [['tuntapctl down', 'until tuntapctl up, also across restarts of the Mac']],
  'config set': [
    ['sudo tuntapctl config set log.level debug', 'change a key'],
    [
      'sudo tuntapctl config set tap.address 192.168.255.253 tap.peer 192.168.255.254',
      'keys that are valid only together',
    ],
  ],
  'config init': [['sudo tuntapctl config init', 'begin with a file that explains itself']],
  uninstall: [
    ['sudo tuntapctl uninstall', 'log and configuration stay'],
    ['sudo tuntapctl uninstall --purge', 'nothing stays'],
  ],
  completion: [
    ['tuntapctl completion zsh > /usr/local/share/zsh/site-functions/_tuntapctl', 'for zsh'],
    ['tuntapctl completion fish > ~/.config/fish/completions/tuntapctl.fish', 'for fish'],
  ],
};

/** What stands below the help of a command; empty where it has no examples. */
export function examplesText(command: string): string {
  const found = examples[command] ?? [];
  if (found.length === 0) return '';
  return ['', 'Examples:', ...found.flatMap(([line, what]) => [`  ${line}`, `      ${what}`])].join('\n');
}
