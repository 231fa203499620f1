/** Makes what is told about a Mac fit for strangers: who it is about is masked, the same way everywhere. Pure. */
import { parseAddress, parsePrefix, contains, type Prefix } from '../daemon/lib/prefix.js';

/** What is known to be somebody's, beside what is recognised by its form. */
export interface Private {
  /** Of people and of the Mac. */
  readonly names: readonly string[];
  /** Of containers, networks and compose projects. */
  readonly docker: readonly string[];
}

/** Addresses that are the same on many Macs, and tell nothing. */
const shared: readonly Prefix[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '224.0.0.0/3',
]
  .map(parsePrefix)
  .filter((prefix) => prefix !== null);

/** Names that every Docker has. */
const ordinary = new Set([
  ...['bridge', 'host', 'none', 'docker_gwbridge', 'ingress', 'overlay', 'macvlan', 'ipvlan'],
  ...['root', '…', '-', ''],
]);

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/** Whether it is an IPv4 address of somebody's on the Internet. */
function isPublic(text: string): boolean {
  const address = parseAddress(text);
  return address !== null && !shared.some((range) => contains(range, address));
}

/** A replacement that gives the same word the same number wherever it stands. */
function numbering(word: string): (found: string) => string {
  const known = new Map<string, string>();
  return (found) => {
    const key = found.toLowerCase();
    const name = known.get(key) ?? `${word}-${known.size + 1}`;
    known.set(key, name);
    return name;
  };
}

/**
 * A function that masks texts: home folders, the given names, MAC addresses, public IPv4 and all IPv6 addresses but
 * loopback. The same thing has the same mask in each text.
 */
export function masker({ names, docker }: Private): (text: string) => string {
  const [user, thing, mac, ipv4, ipv6] = ['user', 'name', 'mac', 'ipv4', 'ipv6'].map(numbering) as [
    (found: string) => string,
    (found: string) => string,
    (found: string) => string,
    (found: string) => string,
    (found: string) => string,
  ];
  const wordsOf = (list: readonly string[]): RegExp | null => {
    // The longest first: `shop` stands in `shop_default`.
    const words = [...new Set(list)]
      .filter((word) => !ordinary.has(word))
      .toSorted((a, b) => b.length - a.length);
    return words.length === 0
      ? null
      : new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.map(literally).join('|')})(?![\\p{L}\\p{N}])`, 'giu');
  };
  const [people, things] = [wordsOf(names), wordsOf(docker)];
  return (text) => {
    let masked = text
      .replaceAll(/(?<=\/(?:Users|home)\/)(?!Shared\b)[^/\s"'`:,;)]+/g, user)
      .replaceAll(/(?<![0-9a-f:])(?:[0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}(?![0-9a-f:])/gi, mac)
      // As netstat of macOS 11 prints them.
      .replaceAll(/(?<![0-9a-f.])(?:[0-9a-f]{1,2}\.){5}[0-9a-f]{1,2}(?![0-9a-f.])/gi, mac)
      .replaceAll(
        /(?<![0-9a-z:])(?=[0-9a-f:.]*:[0-9a-f:.]*:)[0-9a-f:]+(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?:%\w+)?(?![0-9a-z:])/gi,
        (found) => (/^(::1?|\d{1,2}:\d\d:\d\d)$/.test(found) ? found : ipv6(found)),
      )
      .replaceAll(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)/g, (found) =>
        isPublic(found) ? ipv4(found) : found,
      );
    if (things) masked = masked.replaceAll(things, thing);
    if (people) masked = masked.replaceAll(people, user);
    return masked;
  };
}

/** The routing table without public networks, which netstat shortens to as few octets as they need (`8.8.8/24`). */
export const maskedRoutes = (text: string): string =>
  text.replaceAll(/^\d{1,3}(?:\.\d{1,3}){0,2}(?=[/\s])/gm, (found) => {
    const whole = [...found.split('.'), '0', '0', '0'].slice(0, 4).join('.');
    return isPublic(whole) ? 'public' : found;
  });
