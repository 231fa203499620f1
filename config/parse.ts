import { parse, TomlError } from 'smol-toml';
import type * as z from 'zod';
import { allowedAt, noSuchKey } from './keys.js';
import { ConfigError, type ConfigProblem } from './problems.js';
import { type Config, configSchema } from './schema.js';
import { linesIn, outlineToml, type TomlPath } from './toml-outline.js';
import { tomlKey, tomlValue } from './toml-value.js';

const nameOf = (path: TomlPath): string =>
  path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${step}]`;
    return name === '' ? tomlKey(step) : `${name}.${tomlKey(step)}`;
  }, '');

const valueAt = (document: unknown, path: TomlPath): unknown =>
  path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null
        ? (value as Record<string | number, unknown>)[step]
        : undefined,
    document,
  );

const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);

/** Each costs a search through the file, and nobody reads more. */
const maxProblems = 20;

interface Fault {
  readonly path: TomlPath;
  /** null: there is no such key. */
  readonly issue: z.core.$ZodIssue | null;
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => ({ path: [...path, key], issue: null }))
    : [{ path, issue }];
}

function problemsOf(issues: readonly z.core.$ZodIssue[], text: string, document: unknown): ConfigProblem[] {
  const faults = issues.flatMap(faultsOf);
  const lineOf = linesIn(text, outlineToml(text));
  const told = faults
    .slice(0, maxProblems)
    .map(({ path, issue }): ConfigProblem => {
      const place = { key: short(nameOf(path)), line: lineOf(path) };
      if (issue === null) return { ...place, value: null, message: noSuchKey(nameOf(path)) };
      return {
        ...place,
        value: short(tomlValue(valueAt(document, path) ?? valueAt(configSchema.parse({}), path))),
        message: issue.code === 'custom' ? issue.message : (allowedAt(path) ?? issue.message),
      };
    })
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const more = faults.length - told.length;
  return more === 0
    ? told
    : [...told, { key: '', line: null, value: null, message: `and ${more} more that are wrong` }];
}

/** What `text` means as TOML. Throws ConfigError that names the line. */
export function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.split('\n');
    const message = `not TOML: ${what.replace(/^Invalid TOML document: /, '')} (column ${error.column})`;
    throw new ConfigError(path, [{ key: '', line: error.line, value: null, message }], { cause: error });
  }
}

/** The configuration that `text` gives, all defaults filled in. Throws ConfigError with its problems, 20 at the most. */
export function parseConfig(text: string, path: string): Config {
  const document = parseToml(text, path);
  const result = configSchema.safeParse(document);
  if (!result.success) throw new ConfigError(path, problemsOf(result.error.issues, text, document));
  return result.data;
}
