import { commentedConfig } from '../../config/commented.js';
import { type Setting, setConfigValues } from '../../config/edit.js';
import { configJsonSchema, describeConfig, noSuchKey } from '../../config/keys.js';
import { ConfigError, loadConfig, readConfigText } from '../../config/load.js';
import type { Config } from '../../config/schema.js';
import { tomlValue } from '../../config/toml-value.js';
import { writeConfigText } from '../../config/write.js';
import { commandLine } from '../../daemon/lib/command.js';
import { plain } from '../../daemon/lib/text.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { plainLines, printJson, printLine } from '../terminal.js';

const trust = (io: Io): { owner: number } => ({ owner: io.layout.owner.uid });

const valueAt = (config: Config, key: string): unknown =>
  key.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], config);

/** `tuntapctl config show`: what is in force, the file's values and the defaults. */
export async function configShow(io: Io, options: { json?: boolean }): Promise<number> {
  const { config, source } = await loadConfig(io.configPath, trust(io));
  if (options.json === true) {
    printJson(io, { source, config });
    return exit.healthy;
  }
  printLine(
    io.stdout,
    source === 'defaults' ? `# the defaults; ${io.configPath} does not exist` : `# ${source}`,
  );
  for (const { key } of describeConfig()) {
    const value = valueAt(config, key);
    printLine(
      io.stdout,
      plainLines(value === undefined ? `# ${key} is not set` : `${key} = ${tomlValue(value)}`),
    );
  }
  return exit.healthy;
}

/** `tuntapctl config path` */
export function configPathCommand(io: Io, options: { json?: boolean }): number {
  if (options.json === true) printJson(io, { path: io.configPath });
  else printLine(io.stdout, io.configPath);
  return exit.healthy;
}

/** `tuntapctl config check`: 0 when the daemon would take the file, 1 when not. */
export async function configCheck(io: Io, options: { json?: boolean }): Promise<number> {
  try {
    const { source } = await loadConfig(io.configPath, trust(io));
    if (options.json === true) printJson(io, { valid: true, source, problems: [] });
    else
      printLine(
        io.stdout,
        source === 'defaults'
          ? `${io.configPath} does not exist: the defaults are in force`
          : `${source} is valid`,
      );
    return exit.healthy;
  } catch (error) {
    if (!(error instanceof ConfigError) || options.json !== true) throw error;
    printJson(io, { valid: false, source: io.configPath, problems: error.problems });
    return exit.failed;
  }
}

/** `tuntapctl config schema`: JSON Schema. */
export function configSchemaCommand(io: Io): number {
  printJson(io, configJsonSchema());
  return exit.healthy;
}

/** Throws CliError with the line to paste where only root may. */
async function write(io: Io, text: string, words: readonly string[]): Promise<void> {
  try {
    await writeConfigText(io.configPath, text);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) throw error;
    throw new CliError(`only root writes ${io.configPath}: ${commandLine('sudo', ['tuntapctl', ...words])}`);
  }
}

/** `sudo tuntapctl config init`: a file that says what every key is for and changes nothing; 1 where there is one. */
export async function configInit(io: Io, options: { json?: boolean }): Promise<number> {
  if ((await readConfigText(io.configPath, trust(io))) !== null)
    throw new CliError(`${io.configPath} exists and stays as it is: see tuntapctl config show`);
  await write(io, commentedConfig(), ['config', 'init']);
  if (options.json === true) printJson(io, { path: io.configPath });
  else
    printLine(io.stdout, `${io.configPath} is written. Each key in it has its default until you change it.`);
  return exit.healthy;
}

/** Words as they stand on the command line, KEY VALUE KEY VALUE …, in pairs. */
const pairsOf = (words: readonly string[]): Setting[] =>
  words.flatMap((key, index): Setting[] => {
    if (index % 2 === 1) return [];
    const value = words[index + 1];
    if (value === undefined)
      throw new CliError(`nothing is changed: ${plain(key, 100)} has no value`, exit.usage);
    return [[key, value]];
  });

/**
 * `sudo tuntapctl config set KEY VALUE [KEY VALUE …]`: edits the file, keeping what else stands in it; all of the keys or
 * none. As JSON one object, of several keys a list of them.
 */
export async function configSet(
  io: Io,
  words: readonly string[],
  options: { json?: boolean },
): Promise<number> {
  const settings = pairsOf(words);
  const inForce = new Map(describeConfig().map((known) => [known.key, known.inForce]));
  const unknown = settings.map(([key]) => key).find((key) => !inForce.has(key));
  if (unknown !== undefined)
    throw new CliError(
      `nothing is changed: ${plain(unknown, 100) || '“”'}: ${noSuchKey(unknown)} (tuntapctl config show has all keys)`,
      exit.usage,
    );
  const [twice] = settings.map(([key]) => key).filter((key, index, all) => all.indexOf(key) !== index);
  if (twice !== undefined) throw new CliError(`nothing is changed: ${twice} is given twice`, exit.usage);
  const before = (await readConfigText(io.configPath, trust(io))) ?? '';
  const after = setConfigValues(before, settings);
  if (after !== before) await write(io, after, ['config', 'set', ...words]);
  const { config } = await loadConfig(io.configPath, trust(io));
  if (options.json === true) {
    const told = settings.map(([key]) => ({
      key,
      value: valueAt(config, key),
      changed: after !== before,
      inForce: inForce.get(key),
    }));
    printJson(io, told.length === 1 ? told[0] : told);
  } else {
    for (const [key] of settings) {
      const line = `${key} = ${tomlValue(valueAt(config, key))}`;
      printLine(io.stdout, plainLines(`${line}    # in force ${inForce.get(key) ?? ''}`));
    }
  }
  return exit.healthy;
}
