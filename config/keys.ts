import * as z from 'zod';
import { configSchema } from './schema.js';

/** A key an operator may set. */
export interface ConfigKey {
  /** e.g. `tap.mtu` */
  readonly key: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'array';
  /** What is allowed, for people: `a whole number from 576 to 1500`. */
  readonly allowed: string;
  /** undefined: the key has none, and leaving it out means something of its own. */
  readonly default: unknown;
  readonly description: string;
  /** From when on a change counts, for people. */
  readonly inForce: string;
}

interface Node {
  readonly type: 'object' | ConfigKey['type'];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly allowed?: string;
  readonly inForce?: string;
}

let made: Node | undefined;
const tree = (): Node => (made ??= z.toJSONSchema(configSchema, { io: 'input' }) as unknown as Node);

const oneOf = (values: readonly unknown[]): string =>
  `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`;

function allowedIn(node: Node): string {
  if (node.allowed !== undefined) return node.allowed;
  if (node.enum) return oneOf(node.enum);
  switch (node.type) {
    case 'object':
      return 'a section';
    case 'boolean':
      return 'true or false';
    case 'integer': {
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = node;
      const range =
        maximum === Number.MAX_SAFE_INTEGER ? `, at least ${minimum}` : ` from ${minimum} to ${maximum}`;
      return `a whole number${range}`;
    }
    case 'array':
      return `a list, each element ${node.items ? allowedIn(node.items) : 'anything'}`;
    case 'string':
      return 'text';
  }
}

const list = (node: Node, prefix: string): ConfigKey[] =>
  Object.entries(node.properties ?? {}).flatMap(([name, child]): ConfigKey[] => {
    const key = `${prefix}${name}`;
    if (child.type === 'object') return list(child, `${key}.`);
    const { type, description = '', inForce = 'within ten seconds' } = child;
    return [{ key, type, allowed: allowedIn(child), default: child.default, description, inForce }];
  });

/** Every key, in the order of the schema: what the reference, the messages and the CLI are made from. */
export const describeConfig = (): readonly ConfigKey[] => list(tree(), '');

/** What is allowed at a path (of a key, a section or an element), or null where there is no such key. */
export function allowedAt(path: readonly (string | number)[]): string | null {
  let node: Node | undefined = tree();
  for (const step of path) node = typeof step === 'number' ? node?.items : node?.properties?.[step];
  return node ? allowedIn(node) : null;
}

/** The JSON Schema of the file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(configSchema, {
      io: 'input',
      override: ({ jsonSchema }) => {
        delete jsonSchema['allowed'];
        delete jsonSchema['inForce'];
      },
    }),
    title: 'tuntapd configuration',
  };
}

/** How many letters must be changed, added, dropped or swapped to get from one word to the other. */
export function distance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, index) => index)];
  const cell = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= from.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      rows[row]?.push(
        Math.min(
          cell(row - 1, column) + 1,
          cell(row, column - 1) + 1,
          cell(row - 1, column - 1) + (same ? 0 : 1),
          swapped ? cell(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return cell(from.length, to.length);
}

/** No key is half as long, so none is near. */
const longest = 64;

const normal = (word: string): string => word.toLowerCase().replaceAll(/[-_]/g, '');
const lastPart = (key: string): string => key.slice(key.lastIndexOf('.') + 1);

/** The known key or section that was probably meant by an unknown one; null when nothing is near. */
export function nearestKey(key: string): string | null {
  if (key.length > longest) return null;
  const keys = describeConfig().map((known) => known.key);
  const sections = keys
    .filter((known) => known.includes('.'))
    .map((known) => known.slice(0, known.indexOf('.')));
  const word = normal(key);
  const [best] = [...new Set([...keys, ...sections])]
    .map((known) => ({
      known,
      // A right name in the wrong place costs one letter.
      cost: Math.min(
        distance(word, normal(known)),
        1 + distance(normal(lastPart(key)), normal(lastPart(known))),
      ),
    }))
    .sort((a, b) => a.cost - b.cost);
  return best && best.cost <= Math.max(1, Math.floor(lastPart(key).length / 3)) ? best.known : null;
}

/** Keys that there were once, and why they are no more. */
const retired: Readonly<Record<string, string>> = {
  'guest.image':
    'it is no longer needed: what runs in the VM is tuntapd’s own, and no image of anybody’s is used. Take the line out',
  'guest.pull': 'it is no longer needed: nothing is ever pulled. Take the line out',
};

/** What is wrong with a key that cannot be set, for people. */
export function noSuchKey(key: string): string {
  const why = Object.hasOwn(retired, key) ? retired[key] : undefined;
  if (why !== undefined) return why;
  const group = describeConfig().filter((known) => known.key.startsWith(`${key}.`));
  if (group.length > 0) return `it is a group of keys: ${group.map((known) => known.key).join(', ')}`;
  const nearest = nearestKey(key);
  return nearest === null ? 'there is no such key' : `there is no such key; did you mean ${nearest}?`;
}
