/** Whose names stand in texts of which nobody knows more than their form. Pure. */
import { isOwnZone } from '../config/zone.js';

const captured = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].flatMap(([, ...names]: (string | undefined)[]) =>
    names.filter((name) => name !== undefined),
  );

/** Who has a name in the zone, as its problems tell it (core/names/zone.ts). */
const owner = String.raw`(?:container|service|alias|label)`;

/**
 * How conditions, steps and the log name networks, containers, projects and contexts: why a route comes or is refused, who
 * has the link’s network, whom a restart would interrupt, who claims a name.
 */
const namings: readonly RegExp[] = [
  /Docker network ([^";:]{1,100}?) (?:has this subnet|already has it|has [\da-f.:/]+, which|\([\da-f.:/]+\))/g,
  /[\da-f.:]+\/\d+ \(((?:[^()]|\([^()]*\)){1,100})\): /g,
  /[Cc]ontext (?:is )?“([^”]{1,100})”/g,
  /"(?:network|container|project|service)": ?"((?:[^"\\]|\\.){1,200})"/g,
  /\bcontainer ([^\s"]{1,128}) would be interrupted/g,
  new RegExp(`([^\\s"]{1,260}) is (?=${owner} )`, 'g'),
  new RegExp(
    `\\bcontainer ([^\\s",;:]{1,128})(?=, and not ${owner} |, which asks? for it| or ${owner} )`,
    'g',
  ),
  /\bcontainer ([^\s",;:]{1,128}): (\S{1,80}) (?:has a part|would be longer)/g,
  /\bservice ([^\s",;:]{1,100}) of ([^\s",;:]{1,100})/g,
  /\balias ([^\s",;:]{1,100}) on network ([^\s",;:]{1,100})/g,
  /\blabel tuntapd\.names: (\S{1,80})/g,
];

/** Containers that may not answer by IPv6, in a list. */
const listed = /; but ([^";]{1,500}?)(?: and \d+ more)? may not answer by IPv6/g;

/** Names of Docker’s that texts tell of, whoever wrote them. */
export const dockerNamesIn = (texts: string): readonly string[] => [
  ...namings.flatMap((pattern) => captured(texts, pattern)),
  ...captured(texts, listed).flatMap((list) => list.split(', ')),
];

/** Whoever was in front of the Mac meanwhile: `ada (uid 501)`, and the user of a step. */
export const usersIn = (texts: string): readonly string[] => [
  ...captured(texts, /([^\s"“(:]+) \(uid \d+\)/g),
  ...captured(texts, /"user": ?\{[^{}]*?"name": ?"((?:[^"\\]|\\.){1,100})"/g),
];

/** How configuration, status, steps and messages name the zone of containers’ names. */
const zonings: readonly RegExp[] = [
  /(?:\bnames\.zone|^\s*zone|"zone")\s*[:=]\s*["']([^"'\n]{1,253})["']/gm,
  /\bnames? below ([\w.-]{1,253}\w)/g,
  /\/etc\/resolver\/([\w.-]{1,253}\w)/g,
];

/** Zones of containers’ names, but for those that may be anybody’s. */
export const zonesIn = (texts: string): readonly string[] =>
  zonings
    .flatMap((pattern) => captured(texts, pattern))
    .filter((zone) => (zone.includes('.') ? zone !== 'docker.test' : !isOwnZone(zone)));

/** Domains that `scutil --dns` tells of, such as can be told from a word; not mDNS’ own. */
export const domainsIn = (resolvers: string): readonly string[] =>
  captured(resolvers, /^ *(?:search )?domain(?:\[\d+\])? *: *(\S+\.\S*[^\s.])\.?$/gm).filter(
    (domain) => !/\.(?:local|arpa)$/.test(domain),
  );

/** What docker.context, routes.include and routes.exclude name, also in a file that is no TOML: each piece between wildcards. */
export const dockerNamesInConfig = (config: string): readonly string[] =>
  captured(config, /\b(?:context|include|exclude)\s*=\s*(\[[^\]]*|[^\n]*)/g)
    .flatMap((list) => captured(list, /["']([^"'\n]*)["']/g))
    .flatMap((choice) => choice.replace(/^(?:driver|label)=/, '').split(/[*=]/));
