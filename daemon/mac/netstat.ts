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

/** U first, as on every route in use; no interface's name begins so. */
export const isFlags = (word: string | undefined): boolean =>
  word !== undefined && /^U[A-Za-z0-9]*$/.test(word);

function parseRow(line: string, isOld: boolean): Route | null {
  const words = line.trim().split(/\s+/);
  const [short = '', gateway = '', flags = ''] = words;
  const [name = '', expire, ...rest] = words.slice(isOld ? 5 : 3);
  const destination = parseDestination(short, flags);
  if (destination === null || !/^[a-z]/i.test(name) || rest.length > 0 || !isFlags(flags)) return null;
  if (expire !== undefined && !/^(?:!|\d+)$/.test(expire)) return null;
  return { destination, gateway, via: parseAddress(gateway), flags, interface: name };
}

/** The IPv4 rows of `netstat -rn -f inet`, with or without the Refs and Use columns of macOS 10.14 and older. */
export function readRoutingTable(text: string): RoutingTable {
  const routes: Route[] = [];
  const unread: string[] = [];
  let layout: 'old' | 'new' | null = null;
  for (const line of text.split('\n')) {
    if (/^Internet6/.test(line)) break;
    if (/^(?:Routing tables|Internet:|\s*$)/.test(line)) continue;
    if (/^Destination\s+Gateway\s+Flags/.test(line)) {
      layout = /\sRefs\s/.test(line) ? 'old' : 'new';
      continue;
    }
    const isOld = layout === null ? /^\S+\s+\S+\s+U\w*\s+\d+\s+\d+\s/.test(line) : layout === 'old';
    const route = parseRow(line, isOld);
    if (route) routes.push(route);
    else unread.push(line.trim());
  }
  return { routes, unread };
}

/** The rows that could be read. */
export const parseRoutingTable = (text: string): Route[] => [...readRoutingTable(text).routes];
