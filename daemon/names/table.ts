/** The names as the server has them. Pure. */
import { folded } from '../lib/host-name.js';

/** What the server is handed: plain data. */
export interface NamesData {
  /** In lower case, without a dot at its end. */
  readonly zone: string;
  /** Whether what is not here is not there. */
  readonly isCurrent: boolean;
  /** Addresses by folded name below the zone. */
  readonly names: readonly (readonly [name: string, addresses: readonly string[]])[];
}

export interface NamesTable {
  readonly zone: string;
  readonly isCurrent: boolean;
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** What only stands after names: `shop`, where there is `web.shop`. */
  readonly parents: ReadonlySet<string>;
}

interface Growing {
  readonly addresses: Map<string, readonly string[]>;
  readonly parents: Set<string>;
}

const empty = (): Growing => ({ addresses: new Map(), parents: new Set() });

function add({ addresses, parents }: Growing, names: NamesData['names']): void {
  for (const [name, own] of names) {
    addresses.set(name, own);
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1))
      parents.add(name.slice(dot + 1));
  }
}

export function tableOf({ zone, isCurrent, names }: NamesData): NamesTable {
  const made = empty();
  add(made, names);
  return { zone, isCurrent, ...made };
}

/** Names of one line: to read thousands at once would keep whoever asks meanwhile waiting. */
const namesOfLine = 500;

/** What the server is handed, as lines of JSON: lists of names, and then what completes them. */
export function* linesFor({ zone, isCurrent, names }: NamesData): Generator<string, void> {
  for (let from = 0; from < names.length; from += namesOfLine)
    yield JSON.stringify(names.slice(from, from + namesOfLine));
  yield JSON.stringify({ zone, isCurrent });
}

/** What reads those lines: it returns the table that a line completes, null while there is more to come. */
export function createTableReader(): (line: string) => NamesTable | null {
  let made = empty();
  return (line) => {
    const said = JSON.parse(line) as NamesData['names'] | Pick<NamesData, 'zone' | 'isCurrent'>;
    if ('zone' in said) {
      const table = { zone: said.zone, isCurrent: said.isCurrent, ...made };
      made = empty();
      return table;
    }
    add(made, said);
    return null;
  };
}

/**
 * What a name is: `outside` of the zone, its `apex`, a host with its `addresses`, a `parent` of some, or `absent`. What
 * stands before a host's name is that host too.
 */
export type Found =
  | { readonly kind: 'outside' | 'apex' | 'parent' | 'absent' }
  | { readonly kind: 'host'; readonly addresses: readonly string[] };

export function find(table: NamesTable, asked: string): Found {
  const lower = asked.toLowerCase();
  if (lower === table.zone) return { kind: 'apex' };
  if (!lower.endsWith(`.${table.zone}`)) return { kind: 'outside' };
  const name = folded(lower.slice(0, -table.zone.length - 1));
  for (let from = 0; ;) {
    const addresses = table.addresses.get(name.slice(from));
    if (addresses) return { kind: 'host', addresses };
    const dot = name.indexOf('.', from);
    if (dot < 0) break;
    from = dot + 1;
  }
  return { kind: table.parents.has(name) ? 'parent' : 'absent' };
}
