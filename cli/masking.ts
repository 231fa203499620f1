/** Makes what is told about a Mac fit for strangers: who it is about is masked, the same way everywhere. Pure. */
import { basename, dirname, join } from 'node:path';
import { parseAddress, parsePrefix, contains, type Prefix } from '../daemon/lib/prefix.js';

/** What is known to be somebody's, beside what is recognised by its form. */
export interface Private {
  /** Of people and of the Mac. */
  readonly names: readonly string[];
  /** Home folders, as paths. */
  readonly homes: readonly string[];
  /** Of containers, networks, compose projects and contexts. */
  readonly docker: readonly string[];
  /** Domains, whose hosts are masked as well. */
  readonly hosts: readonly string[];
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

/** Names that every Docker has, and the product’s own words: they tell of nobody, and a report without them tells nothing. */
const ordinary = new Set(
  (
    'bridge host none docker_gwbridge ingress overlay macvlan ipvlan auto default desktop-linux colima lima ' +
    'rancher-desktop com.docker.compose.project app docker desktop engine container containers network ' +
    'networks subnet context tuntapd tuntapctl status config doctor link route routes tap vm guest shim ' +
    'routed pending refused foreign yielded waiting up down ready idle working true false null error warn ' +
    'info debug message level time pass step why name user mail mac ipv4 ipv6 public users library ' +
    'applications root'
  ).split(' '),
);

/** Whether a name of Docker’s is a word of its own, and not one that stands everywhere. */
const isTelling = (name: string): boolean =>
  /^[\p{L}\p{N}_. -]{2,}$/u.test(name) && /\p{L}/u.test(name) && name.trim() === name;

/** What is masked of a name of Docker’s: all of it, or the words of one that holds more than a name should. */
const tellingIn = (name: string): readonly string[] =>
  isTelling(name)
    ? [name]
    : name.split(/[^\p{L}\p{N}_.-]+/u).filter((part) => part.length > 2 && isTelling(part));

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

/** A pattern of these words, the longest first: `shop` stands in `shop_default`. Null: there is none. */
function wordsOf(list: readonly string[], before = ''): RegExp | null {
  const words = [...new Set(list)]
    .filter((word) => word !== '' && !ordinary.has(word.toLowerCase()))
    .toSorted((a, b) => b.length - a.length);
  return words.length === 0
    ? null
    : new RegExp(
        `(?<![\\p{L}\\p{N}])${before}(?:${words.map(literally).join('|')})(?![\\p{L}\\p{N}])`,
        'giu',
      );
}

/** Whether what stands at `at` is a key of JSON’s, which the product has chosen. */
const isKey = (text: string, at: number, found: string): boolean =>
  text[at - 1] === '"' && text.startsWith('":', at + found.length);

/** The user’s part of a path below /Users: quotes end it where no letter follows, blanks where no slash does. */
const homePattern =
  /(?<=\/(?:Users|home)\/)(?!Shared\b|user-\d+\b)(?:[\p{L}\p{N}._'’-]+(?: [\p{L}\p{N}._'’-]+){1,3}(?=\/)|(?:[^/\s"'`:,;)]|'(?:\\{1,2}'')?(?=[\p{L}\p{N}]))+)/gu;

/** A disk of somebody’s, but not macOS’s own or Docker’s image; it ends as a user’s part does. */
const volumePattern =
  /(?<=\/Volumes\/)(?!(?:Macintosh HD|Docker)(?![\p{L}\p{N}])|volume-\d+\b)(?:[\p{L}\p{N}._'’-]+(?: [\p{L}\p{N}._'’-]+){1,3}(?=\/)|(?:[^/\s"'`:,;)]|'(?=[\p{L}\p{N}]))+)/gu;

/** What follows `scheme://`, but for a path, and an address with or without a port. */
const urlPattern = /(?<=:\/\/)(?!\/|[\d.]+(?::\d+)?(?:[/)\s"'`,;]|$))[^)\s"'`\\<>]+/g;

/**
 * A function that masks texts: home folders, disks, the given names and domains, where a URL leads, mail addresses, the domains
 * that scutil tells of, MAC addresses, public IPv4 and all IPv6 addresses but loopback. The same thing has the same mask
 * in each text.
 */
export function masker({ names, homes, docker, hosts }: Private): (text: string) => string {
  type Mask = (found: string) => string;
  const [user, thing, mail, mac] = [
    numbering('user'),
    numbering('name'),
    numbering('mail'),
    numbering('mac'),
  ];
  const [host, ipv4, ipv6] = [numbering('host'), numbering('ipv4'), numbering('ipv6')];
  const volume = numbering('volume');
  const words: readonly (readonly [RegExp | null, Mask])[] = [
    [wordsOf(hosts, '(?:[\\p{L}\\p{N}_-]+\\.)*'), host],
    [wordsOf(docker.flatMap(tellingIn)), thing],
    [wordsOf(names), user],
  ];
  const folders = homes.filter((home) => home.lastIndexOf('/') > 0 && !ordinary.has(basename(home)));
  return (text) => {
    let masked = text;
    for (const home of folders)
      masked = masked.replaceAll(new RegExp(`${literally(home)}(?![\\p{L}\\p{N}])`, 'gu'), () =>
        join(dirname(home), user(basename(home))),
      );
    masked = masked
      .replaceAll(urlPattern, host)
      .replaceAll(/[^\s"'`<>()=,;:[\]{}\\/]+@(?!sha256:)[^\s"'`<>(),;:[\]{}\\/]+/g, mail)
      .replaceAll(/(?<=^ *(?:search )?domain(?:\[\d+\])? *: *)(?!(?:\S+\.)?(?:local|arpa)\.?$)\S+/gm, host)
      .replaceAll(homePattern, user)
      .replaceAll(volumePattern, volume)
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
    for (const [pattern, mask] of words)
      if (pattern)
        masked = masked.replaceAll(pattern, (found: string, at: number, whole: string) =>
          isKey(whole, at, found) ? found : mask(found),
        );
    return masked;
  };
}

/** The routing table without public networks, which netstat shortens to as few octets as they need (`8.8.8/24`). */
export const maskedRoutes = (text: string): string =>
  text.replaceAll(/^\d{1,3}(?:\.\d{1,3}){0,2}(?=[/\s])/gm, (found) => {
    const whole = [...found.split('.'), '0', '0', '0'].slice(0, 4).join('.');
    return isPublic(whole) ? 'public' : found;
  });
