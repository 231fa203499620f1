import { parseAddress, parsePrefix, type Prefix } from '../lib/prefix.js';
import type { Route } from '../core/observation.js';

const classPrefix = (first: number): number => (first < 128 ? 8 : first < 192 ? 16 : 24);

/**
 * A mask with holes is printed in hex, cut after a few digits (`10.4&0xff00`): the narrowest prefix that holds all of
 * it, so that whoever asks what is taken is never told too little.
 */
function coverOf(short: string, hex: string): Prefix | null {
  const bits = Number.parseInt(hex, 16)
    .toString(2)
    .padStart(hex.length * 4, '0');
  const ones = bits.indexOf('0');
  const address = [...short.split('.'), 0, 0, 0].slice(0, 4).join('.');
  return parsePrefix(`${address}/${ones < 0 ? bits.length : ones}`);
}

/**
 * Darwin's short destinations (netname() of netstat.tproj/route.c) as prefixes: missing octets are zero; without
 * a length four octets of a host route are /32, anything else has the length of its class, and as many octets as the
 * class has. Null for what is no IPv4 destination or can't have been printed by these rules.
 */
export function parseDestination(text: string, flags: string): Prefix | null {
  if (text === 'default') return parsePrefix('0.0.0.0/0');
  const holed = /^(\d{1,3}(?:\.\d{1,3}){0,3})&0x([0-9a-f]{1,8})$/.exec(text);
  if (holed) return coverOf(holed[1] ?? '', holed[2] ?? '');
  const match = /^(\d{1,3}(?:\.\d{1,3}){0,3})(?:\/(\d{1,2}))?$/.exec(text);
  const octets = (match?.[1] ?? '').split('.').map(Number);
  if (!match) return null;
  const byClass = classPrefix(octets[0] ?? 0);
  const host = octets.length === 4 && flags.includes('H');
  if (match[2] === undefined && !host && octets.length * 8 !== byClass) return null;
  const length = match[2] !== undefined ? Number(match[2]) : host ? 32 : byClass;
  const address = [...octets, 0, 0, 0].slice(0, 4).join('.');
  const prefix = parsePrefix(`${address}/${length}`);
  // The kernel masks destinations: bits outside of the prefix mean that this was misread.
  return prefix?.text === `${address}/${length}` ? prefix : null;
}

export interface RoutingTable {
  readonly routes: readonly Route[];
  /** Rows that could not be read (a non-contiguous mask, …), as printed: left out rather than misread. */
  readonly unread: readonly string[];
}

/** How the words of a family's rows are read. */
interface Words {
  /** Null for what is none. */
  readonly destinationOf: (printed: string, flags: string) => Prefix | null;
  readonly gatewayOf: (printed: string) => Pick<Route, 'gateway' | 'via'>;
}

/** U first, as on every route in use; no interface's name begins so. */
const isFlags = (word: string): boolean => /^U[A-Za-z0-9]*$/.test(word);

/** `netif`: which word is the interface. */
function readRow(line: string, netif: number, { destinationOf, gatewayOf }: Words): Route | null {
  const words = line.trim().split(/\s+/);
  const [printed = '', gateway = '', flags = ''] = words;
  const [name = '', expire, ...rest] = words.slice(netif);
  const destination = destinationOf(printed, flags);
  if (destination === null || !/^[a-z]/i.test(name) || rest.length > 0 || !isFlags(flags)) return null;
  if (expire !== undefined && !/^(?:!|\d+)$/.test(expire)) return null;
  return { destination, ...gatewayOf(gateway), flags, interface: name };
}

/** Whether a row has Refs and Use, where no header has said so. */
const isOld = /^\S+\s+\S+\s+U\w*\s+\d+\s+\d+\s/;

/**
 * The rows of `netstat -rn` below `title`, up to another family's. A cell that is longer than its column pushes the rest, so
 * they are read word by word; which word is the interface the header says, since macOS 10.14 and older have two more.
 */
export function readRows(text: string, title: 'Internet' | 'Internet6', words: Words): RoutingTable {
  const routes: Route[] = [];
  const unread: string[] = [];
  let netif: number | null = null;
  for (const line of text.split('\n')) {
    const [, begins] = /^(Internet6?):/.exec(line) ?? [];
    if (begins !== undefined && begins !== title) break;
    if (begins !== undefined || /^(?:Routing tables|\s*$)/.test(line)) continue;
    if (/^Destination\s+Gateway\s+Flags/.test(line)) {
      netif = line.trim().split(/\s+/).indexOf('Netif');
      continue;
    }
    const route = readRow(line, netif ?? (isOld.test(line) ? 5 : 3), words);
    if (route) routes.push(route);
    else unread.push(line.trim());
  }
  return { routes, unread };
}

/** The IPv4 rows of `netstat -rn -f inet`. */
export const readRoutingTable = (text: string): RoutingTable =>
  readRows(text, 'Internet', {
    destinationOf: parseDestination,
    gatewayOf: (gateway) => ({ gateway, via: parseAddress(gateway) }),
  });

/** The rows that could be read. */
export const parseRoutingTable = (text: string): Route[] => [...readRoutingTable(text).routes];
