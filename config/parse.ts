import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { allowedAt, nearestKey } from './keys.js';
import { ConfigError, type ConfigProblem } from './problems.js';
import { type Config, configSchema } from './schema.js';
import { lineOf, outlineToml, type TomlPath } from './toml-outline.js';
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

function unknownKey(path: TomlPath): string {
  const nearest = nearestKey(nameOf(path));
  return nearest === null ? 'there is no such key' : `there is no such key; did you mean ${nearest}?`;
}

function problemsOf(issues: readonly z.core.$ZodIssue[], text: string, document: unknown): ConfigProblem[] {
  const outline = outlineToml(text);
  return issues
    .flatMap((issue): ConfigProblem[] => {
      const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => ({
          key: nameOf([...path, key]),
          line: lineOf(text, outline, [...path, key]),
          value: null,
          message: unknownKey([...path, key]),
        }));
      return [
        {
          key: nameOf(path),
          line: lineOf(text, outline, path),
          value: short(tomlValue(valueAt(document, path) ?? valueAt(configSchema.parse({}), path))),
          message: issue.code === 'custom' ? issue.message : (allowedAt(path) ?? issue.message),
        },
      ];
    })
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
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

/** The configuration that `text` gives, all defaults filled in. Throws ConfigError with every problem in it. */
export function parseConfig(text: string, path: string): Config {
  const document = parseToml(text, path);
  const result = configSchema.safeParse(document);
  if (!result.success) throw new ConfigError(path, problemsOf(result.error.issues, text, document));
  return result.data;
}
