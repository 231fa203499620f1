import { isDeepStrictEqual } from 'node:util';
import { TomlDate } from 'smol-toml';
import { type ConfigKey, describeConfig, noSuchKey } from './keys.js';
import { configPath } from './load.js';
import { parseConfig, parseToml } from './parse.js';
import { ConfigError, type ConfigProblem } from './problems.js';
import { outlineToml, samePath, type TomlEntry, type TomlOutline, type TomlPath } from './toml-outline.js';
import { tomlValue } from './toml-value.js';

/** The file stays as it is: a line of what it would have become is no line of it. */
const refusal = (problems: readonly ConfigProblem[], cause?: unknown): ConfigError =>
  new ConfigError(
    configPath,
    problems.map((problem) => ({ ...problem, line: null })),
    { headline: 'nothing is changed:', cause },
  );

const fault = (key: string, message: string, value: string | null = null): ConfigError =>
  refusal([{ key, line: null, value, message }]);

function knownKey(key: string): ConfigKey {
  const known = describeConfig().find((candidate) => candidate.key === key);
  if (known) return known;
  throw fault(key, noSuchKey(key));
}

function asToml(value: string): unknown {
  try {
    return parseToml(`value = ${value}`, configPath)['value'];
  } catch {
    return undefined;
  }
}

/** What a person types for a key of this type: quotes and brackets may be left out where nothing is lost by it. */
function meaning(known: ConfigKey, value: string): unknown {
  const parsed = /[\r\n]/.test(value) ? undefined : asToml(value);
  switch (known.type) {
    case 'string':
      return typeof parsed === 'string' ? parsed : value;
    case 'array':
      return Array.isArray(parsed)
        ? parsed
        : value
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== '');
    case 'integer':
    case 'boolean':
      if (parsed === undefined || parsed instanceof TomlDate) throw fault(known.key, known.allowed, value);
      return parsed;
  }
}

const replace = (text: string, start: number, end: number, by: string): string =>
  text.slice(0, start) + by + text.slice(end);

const lineStart = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;

const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
};

/** Puts a line after the one that holds offset `at`. */
function lineAfter(text: string, at: number, line: string, eol: string): string {
  const place = lineEnd(text, at);
  const before = text.slice(0, place);
  const broken = before === '' || before.endsWith('\n') ? before : `${before}${eol}`;
  return `${broken}${line}${eol}${text.slice(place)}`;
}

/** Where the comment that belongs to the line at `at` begins: the comment lines directly above it. */
function commentStart(text: string, at: number): number {
  let start = lineStart(text, at);
  while (
    start > 0 &&
    text
      .slice(lineStart(text, start - 1), start)
      .trimStart()
      .startsWith('#')
  )
    start = lineStart(text, start - 1);
  return start;
}

const within = (outline: TomlOutline, table: TomlPath): readonly TomlEntry[] =>
  outline.entries.filter(
    ({ path, nested }) =>
      !nested && path.length > table.length && samePath(path.slice(0, table.length), table),
  );

function addToRoot(text: string, outline: TomlOutline, line: string, eol: string): string {
  const first = outline.headers[0];
  const own = outline.entries.filter(({ nested, start }) => !nested && start < (first?.start ?? Infinity));
  const last = own.at(-1);
  if (last) return lineAfter(text, last.end, line, eol);
  if (!first) return lineAfter(text, text.length, line, eol);
  const place = commentStart(text, first.start);
  return replace(text, place, place, `${line}${eol}${eol}`);
}

function addToSection(
  text: string,
  outline: TomlOutline,
  [section, name]: readonly [string, string],
  value: string,
  eol: string,
): string {
  const line = `${name} = ${value}`;
  const inline = outline.entries.find(({ path }) => samePath(path, [section]));
  if (inline) {
    const inner = text.slice(inline.start + 1, inline.end - 1);
    return replace(text, inline.start + 1, inline.start + 1, inner.trim() === '' ? ` ${line} ` : ` ${line},`);
  }
  const index = outline.headers.findIndex(({ path }) => samePath(path, [section]));
  const header = outline.headers[index];
  if (header) {
    const next = outline.headers[index + 1]?.start ?? Infinity;
    const last = within(outline, [section])
      .filter(({ start }) => start > header.start && start < next)
      .at(-1);
    return lineAfter(text, last?.end ?? header.end, line, eol);
  }
  // `tap.mtu = …` at the top: a `[tap]` as well would define the table twice.
  const dotted = within(outline, [section]).at(-1);
  if (dotted) return lineAfter(text, dotted.end, `${section}.${line}`, eol);
  const gap = text === '' || /\n\s*\n$/.test(text) ? '' : eol;
  const ended = text === '' || text.endsWith('\n') ? text : `${text}${eol}`;
  return `${ended}${gap}[${section}]${eol}${line}${eol}`;
}

const withValue = (document: Record<string, unknown>, path: readonly string[], value: unknown): unknown => {
  const [first = '', ...rest] = path;
  const inner = document[first];
  return {
    ...document,
    [first]:
      rest.length === 0
        ? value
        : withValue({ ...(inner as Record<string, unknown> | undefined) }, rest, value),
  };
};

/** TOML tables come without a prototype, which counts as a difference. */
const plainData = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function withOneValue(text: string, key: string, value: string): string {
  const known = knownKey(key);
  const wanted = meaning(known, value);
  const written = tomlValue(wanted);
  const before = parseToml(text, configPath);
  const outline = outlineToml(text);
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const path = key.split('.');
  const [first = '', second] = path;
  const present = outline.entries.find((entry) => samePath(entry.path, path));
  const edited = present
    ? replace(text, present.start, present.end, written)
    : second === undefined
      ? addToRoot(text, outline, `${first} = ${written}`, eol)
      : addToSection(text, outline, [first, second], written, eol);
  const after = parseToml(edited, configPath);
  if (!isDeepStrictEqual(plainData(after), plainData(withValue(before, path, wanted))))
    throw fault(key, 'it stands in the file in a way that cannot be changed safely; edit the file by hand');
  return edited;
}

/** A key and its value, as typed by a person. */
export type Setting = readonly [key: string, value: string];

/** Why a file with this text cannot be used; null where it can. */
function refusalOf(text: string): ConfigError | null {
  try {
    parseConfig(text, configPath);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/**
 * `text` with these settings, everything else left as it stands, comments too, but those within a value. Only their
 * sum has to be valid: the two ends of the link can be moved only together. Throws ConfigError when there is no such
 * key, a value is not allowed, or the file as a whole would not be valid.
 */
export function setConfigValues(text: string, settings: readonly Setting[]): string {
  const edited = settings.reduce((before, [key, value]) => withOneValue(before, key, value), text);
  const error = refusalOf(edited);
  if (error === null) return edited;
  const before = refusalOf(text)?.problems ?? [];
  const stillThere = before.filter(({ key }) => error.problems.some((left) => left.key === key));
  if (stillThere.length === 0) throw refusal(error.problems, error);
  const headline = `nothing is changed: ${configPath} has to be put right by hand first:`;
  throw new ConfigError(configPath, stillThere, { headline, cause: error });
}
