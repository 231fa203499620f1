/**
 * What configd reads in /etc/resolver (dnsinfo/dnsinfo_flatfile.c): every entry, by its own name or its `domain`; a
 * keyword at the beginning of a line, one blank or tab, and the value up to the next one; `#` and `;` as the first
 * character alone; of each key the first, of nameservers three.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface FileResolver {
  readonly domain: string;
  readonly nameservers: readonly string[];
  readonly port: number | null;
  /** Seconds. */
  readonly timeout: number | null;
  readonly order: number;
  /** Null: those of the network in use. */
  readonly flags: readonly string[] | null;
}

/** strtol with base 0. */
const numberIn = (text: string | undefined): number | null => {
  const [, sign = '', hex, octal, decimal] =
    /^(-?)(?:0x([\da-f]+)|(0[0-7]*)|([1-9]\d*))/i.exec(text ?? '') ?? [];
  const digits = hex ?? octal ?? decimal;
  if (digits === undefined) return null;
  return (
    Number(`${sign}1`) * Number.parseInt(digits, hex === undefined ? (octal === undefined ? 10 : 8) : 16)
  );
};

export function parseResolverFile(name: string, text: string): FileResolver {
  const values = new Map<string, string>();
  const nameservers: string[] = [];
  let flags: string[] | null = null;
  for (const line of text.split('\n')) {
    if (/^[#;]/.test(line)) continue;
    const [, key = '', rest = ''] = /^([a-z_]+)[ \t](.*)$/.exec(line) ?? [];
    // A second blank begins the value, which is empty then.
    const [value = ''] = rest.split(/[ \t\r]/);
    if (key === 'nameserver' && value !== '' && nameservers.length < 3) nameservers.push(value);
    else if (key === 'flags') flags ??= rest.split(/[ \t]+/);
    else if (key !== '' && !values.has(key)) values.set(key, value);
  }
  return {
    domain: (values.get('domain') ?? name).replace(/\.+$/, ''),
    nameservers,
    port: numberIn(values.get('port')),
    timeout: numberIn(values.get('timeout')),
    order: numberIn(values.get('search_order')) ?? 0,
    flags,
  };
}

/** All of them; an entry that leads to no file is passed over (a FIFO would hold configd for ever). */
export function resolverFiles(folder: string): readonly FileResolver[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      if (!statSync(join(folder, name)).isFile()) return [];
      return [parseResolverFile(name, readFileSync(join(folder, name), 'utf8'))];
    } catch {
      return [];
    }
  });
}
