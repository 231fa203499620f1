const bareKey = /^[A-Za-z0-9_-]+$/;

/** A key as TOML writes it. */
export const tomlKey = (key: string): string => (bareKey.test(key) ? key : tomlString(key));

/** JSON's escapes are TOML's, but TOML also wants U+007F escaped. */
const tomlString = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

/** A value as TOML writes it on one line: for messages, the reference and the edit of a file. */
export function tomlValue(value: unknown): string {
  if (typeof value === 'string') return tomlString(value);
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${tomlKey(key)} = ${tomlValue(inner)}`)
      .join(', ')} }`;
  return String(value);
}
