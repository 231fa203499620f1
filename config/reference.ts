import { type ConfigKey, describeConfig } from './keys.js';
import { configPath } from './load.js';
import { tomlValue } from './toml-value.js';

const head = `# Configuration

<!-- Made from config/schema.ts by config/reference.ts. Change the schema, not this page. -->

Everything has a default; the file \`${configPath}\` need not exist. It is [TOML](https://toml.io). An unknown key or a
value that is not allowed is an error that names the line, and then nothing of the file is applied.

The daemon obeys the file as root, so it takes it only when it belongs to root, nobody else may write to it or to a
folder on the way to it, and it is not a symbolic link.

\`\`\`sh
tuntapctl config show                        # what is in force: the file's values and the defaults
tuntapctl config check                       # is the file valid?
tuntapctl config schema                      # JSON Schema, for editors
sudo tuntapctl config init                   # a file that says what every key is for, and changes nothing
sudo tuntapctl config set log.level debug    # change a key; comments stay, but those within a list
# Keys that are valid only together are changed together:
sudo tuntapctl config set tap.address 192.168.255.253 tap.peer 192.168.255.254
\`\`\`
`;

const entry = ({ key, allowed, default: value, description, inForce }: ConfigKey): string => `### \`${key}\`

${description}

- Allowed: ${allowed}
- Default: ${value === undefined ? 'none' : `\`${tomlValue(value)}\``}
- A change is in force: ${inForce}
`;

const sectionOf = (key: string): string => (key.includes('.') ? key.slice(0, key.indexOf('.')) : '');

const example = (keys: readonly ConfigKey[]): string => {
  const lines = keys.flatMap(({ key, default: value }, index) => {
    const section = sectionOf(key);
    const name = key.slice(section === '' ? 0 : section.length + 1);
    const opens = section !== '' && sectionOf(keys[index - 1]?.key ?? '') !== section;
    return [
      ...(opens ? ['', `[${section}]`] : []),
      value === undefined ? `# ${name} = …` : `${name} = ${tomlValue(value)}`,
    ];
  });
  return `## The defaults, as a file

\`\`\`toml
${lines.join('\n')}
\`\`\`
`;
};

/** The page docs/configuration.md. */
export function renderReference(): string {
  const keys = describeConfig();
  const sections = [...new Set(keys.map(({ key }) => sectionOf(key)))];
  return [
    head,
    ...sections.flatMap((section) => [
      section === '' ? '## At the top of the file\n' : `## \`[${section}]\`\n`,
      ...keys.filter(({ key }) => sectionOf(key) === section).map(entry),
    ]),
    example(keys),
  ].join('\n');
}
