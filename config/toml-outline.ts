import { parse } from 'smol-toml';

/** One step into a TOML document: a key, or the index of an element. */
export type TomlPath = readonly (string | number)[];

/** A value somewhere in a document. Offsets count UTF-16 units from the start of the text. */
export interface TomlEntry {
  readonly path: TomlPath;
  /** Where its key (or, for an element, the value) begins. */
  readonly keyStart: number;
  readonly start: number;
  /** Just after the value. */
  readonly end: number;
  readonly kind: 'scalar' | 'array' | 'inline-table';
  /** Whether it lies within an array or an inline table rather than on a line of its own. */
  readonly nested: boolean;
}

/** `[a.b]` or `[[a.b]]`. */
export interface TomlHeader {
  readonly path: TomlPath;
  readonly start: number;
  readonly end: number;
  readonly repeated: boolean;
}

export interface TomlOutline {
  readonly entries: readonly TomlEntry[];
  readonly headers: readonly TomlHeader[];
}

/** The first offset at or after `from` that is not part of blanks, line ends and comments. */
function skipGap(text: string, from: number): number {
  const gap = /(?:[ \t\r\n]|#[^\n]*)*/y;
  gap.lastIndex = from;
  return from + (gap.exec(text)?.[0].length ?? 0);
}

const skipBlanks = (text: string, from: number): number => {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
};

const stringForms = [
  /"""(?:[^\\]|\\[^])*?"{3,5}/y,
  /'''[^]*?'{3,5}/y,
  /"(?:[^"\\\n]|\\.)*"/y,
  /'[^'\n]*'/y,
] as const;

/** The end of the string that begins at `from`, or null when there is none. */
function endOfString(text: string, from: number): number | null {
  for (const form of stringForms) {
    form.lastIndex = from;
    const match = form.exec(text);
    if (match) return from + match[0].length;
  }
  return null;
}

function readKey(text: string, from: number): { readonly keys: string[]; readonly end: number } {
  const keys: string[] = [];
  for (let at = from; ;) {
    at = skipBlanks(text, at);
    const quotedEnd = endOfString(text, at);
    if (quotedEnd === null) {
      const bare = /[^\s.=\]#]*/y;
      bare.lastIndex = at;
      const key = bare.exec(text)?.[0] ?? '';
      keys.push(key);
      at += key.length;
    } else {
      keys.push(parse(`key = ${text.slice(at, quotedEnd)}`)['key'] as string);
      at = quotedEnd;
    }
    at = skipBlanks(text, at);
    if (text[at] !== '.') return { keys, end: at };
    at += 1;
  }
}

/**
 * Where everything stands in a TOML document: the parser tells what a document means, but not where. `text` must be
 * valid TOML (parse it first).
 */
export function outlineToml(text: string): TomlOutline {
  const entries: TomlEntry[] = [];
  const headers: TomlHeader[] = [];
  const repeats = new Map<string, number>();

  function readValue(from: number, path: TomlPath, keyStart: number, nested: boolean): number {
    const opening = text[from];
    if (opening === '[' || opening === '{') {
      const index =
        entries.push({
          path,
          keyStart,
          start: from,
          end: from,
          kind: opening === '[' ? 'array' : 'inline-table',
          nested,
        }) - 1;
      const end = opening === '[' ? readArray(from + 1, path) : readInlineTable(from + 1, path);
      entries[index] = { ...(entries[index] as TomlEntry), end };
      return end;
    }
    const other = /[^,\]}#\r\n]*/y;
    other.lastIndex = from;
    const end = endOfString(text, from) ?? from + (other.exec(text)?.[0].trimEnd().length ?? 0);
    entries.push({ path, keyStart, start: from, end, kind: 'scalar', nested });
    return end;
  }

  function readArray(from: number, path: TomlPath): number {
    let at = skipGap(text, from);
    for (let index = 0; at < text.length && text[at] !== ']'; index += 1) {
      at = skipGap(text, readValue(at, [...path, index], at, true));
      if (text[at] === ',') at = skipGap(text, at + 1);
    }
    return at + 1;
  }

  function readInlineTable(from: number, path: TomlPath): number {
    let at = skipGap(text, from);
    while (at < text.length && text[at] !== '}') {
      at = skipGap(text, readPair(at, path, true));
      if (text[at] === ',') at = skipGap(text, at + 1);
    }
    return at + 1;
  }

  function readPair(from: number, table: TomlPath, nested: boolean): number {
    const { keys, end } = readKey(text, from);
    return readValue(skipBlanks(text, end + 1), [...table, ...keys], from, nested);
  }

  let table: TomlPath = [];
  for (let at = skipGap(text, 0); at < text.length; at = skipGap(text, at)) {
    if (text[at] === '[') {
      const repeated = text[at + 1] === '[';
      const { keys, end } = readKey(text, at + (repeated ? 2 : 1));
      const name = JSON.stringify(keys);
      const count = repeats.get(name) ?? 0;
      if (repeated) repeats.set(name, count + 1);
      table = repeated ? [...keys, count] : keys;
      headers.push({ path: table, start: at, end: end + (repeated ? 2 : 1), repeated });
      at = end + (repeated ? 2 : 1);
    } else {
      at = readPair(at, table, false);
    }
  }
  return { entries, headers };
}

const isPrefix = (prefix: TomlPath, path: TomlPath): boolean =>
  prefix.every((step, index) => path[index] === step);

/** Whether two paths are the same. */
export const samePath = (a: TomlPath, b: TomlPath): boolean => a.length === b.length && isPrefix(a, b);

/** Tells the line (from 1) where a path, or else the nearest thing around it, stands; null when nothing of it is there. */
export function linesIn(text: string, { entries, headers }: TomlOutline): (path: TomlPath) => number | null {
  const places = [
    ...entries.map((entry) => ({ path: entry.path, at: entry.keyStart })),
    ...headers.map((header) => ({ path: header.path, at: header.start })),
  ];
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const part = path.slice(0, length);
      const place =
        places.find((candidate) => samePath(candidate.path, part)) ??
        places.find((candidate) => isPrefix(part, candidate.path));
      if (place) return text.slice(0, place.at).split('\n').length;
    }
    return null;
  };
}
