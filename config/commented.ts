import { type ConfigKey, describeConfig } from './keys.js';
import { tomlValue } from './toml-value.js';

const width = 96;

/** A comment in lines of at most `width` characters. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line !== '#' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** A key with its comment; the default is commented out, so that a later version's counts. */
function entry({ key, allowed, default: value, description }: ConfigKey): string[] {
  const name = key.slice(key.lastIndexOf('.') + 1);
  return [
    '',
    ...comment(description),
    ...comment(`Allowed: ${allowed}.`),
    `#${name} = ${value === undefined ? '…' : tomlValue(value)}`,
  ];
}

/** A configuration file that says what every key is for, and changes nothing. */
export function commentedConfig(): string {
  const keys = describeConfig();
  const sectionOf = ({ key }: ConfigKey): string => key.slice(0, Math.max(0, key.lastIndexOf('.')));
  const lines = keys.flatMap((known, index) => {
    const before = keys[index - 1];
    const section = sectionOf(known);
    const opens = section !== '' && (!before || sectionOf(before) !== section);
    return [...(opens ? ['', `[${section}]`] : []), ...entry(known)];
  });
  return `# tuntapd’s configuration. Each line that begins with # and a key has its default: take the # away to change it.\n${lines.join('\n')}\n`;
}
