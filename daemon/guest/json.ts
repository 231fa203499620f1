import * as z from 'zod';

/** Nothing that Docker Engine says is nested deeper than a dozen levels. */
const deepest = 64;

/** Whether brackets outside of strings are open to more than `deepest` levels at once. */
function isDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character === '\\') at += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === '[' || character === '{') {
      depth += 1;
      if (depth > deepest) return true;
    } else if (character === ']' || character === '}') depth -= 1;
  }
  return false;
}

/** JSON.parse, which takes seconds for millions of brackets, of other people's text; throws SyntaxError. */
export function parseUntrusted(text: string): unknown {
  if (isDeep(text)) throw new SyntaxError(`more than ${deepest} levels deep`);
  return JSON.parse(text);
}

/** No engine has more of anything. */
const maxEntries = 10_000;

/** The value as `schema` reads it, or nothing. */
function readBy<T>(schema: z.ZodType<T>, value: unknown): readonly T[] {
  const { success, data } = schema.safeParse(value);
  return success ? [data] : [];
}

/**
 * A list without what of it `schema` does not accept; too long a one is refused before anything of it is looked at,
 * since zod notes an issue for each entry.
 */
export const untrustedList = <T>(schema: z.ZodType<T>): z.ZodType<T[]> =>
  z
    .array(z.unknown())
    .max(maxEntries)
    .transform((entries) => entries.flatMap((entry) => readBy(schema, entry)));

/** Such a list; refused when it has entries, but none that `schema` accepts: it is no list of that at all. */
export const untrustedSome = <T>(schema: z.ZodType<T>): z.ZodType<T[]> =>
  z
    .array(z.unknown())
    .max(maxEntries)
    .transform((entries, context) => {
      const read = entries.flatMap((entry) => readBy(schema, entry));
      if (entries.length > 0 && read.length === 0)
        context.addIssue({ code: 'custom', message: 'no entry is what it should be' });
      return read;
    });

/** The members of an object that `schema` accepts; none of what is no object, or is not there. */
export const untrustedRecord = <T>(schema: z.ZodType<T>): z.ZodType<Record<string, T>> =>
  z
    .unknown()
    .optional()
    .transform((value) => {
      const members = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      return Object.fromEntries(
        members
          .slice(0, maxEntries)
          .flatMap(([name, member]) => readBy(schema, member).map((read) => [name, read])),
      );
    });
