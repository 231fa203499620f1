/** Whose names stand in texts of which nobody knows more than their form. Pure. */

const captured = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].flatMap(([, name]) => (name === undefined ? [] : [name]));

/** How the daemon’s log names networks and contexts: why a route comes or is refused, and who has the link’s network. */
const namingsInLog: readonly RegExp[] = [
  /Docker network ([^";:]{1,100}?) (?:has this subnet|already has it|has [\d./]+, which|\([\d./]+\))/g,
  /[\d.]+\/\d+ \(([^()]{1,100})\): /g,
  /[Cc]ontext (?:is )?“([^”]{1,100})”/g,
  /"(?:network|container|project|service)":"((?:[^"\\]|\\.){1,200})"/g,
];

/** Names of Docker’s that the log tells of, when no daemon does. */
export const dockerNamesInLog = (log: string): readonly string[] =>
  namingsInLog.flatMap((pattern) => captured(log, pattern));

/** Whoever was in front of the Mac while the log was written (`ada (uid 501)`). */
export const usersInLog = (log: string): readonly string[] => captured(log, /([^\s"“(:]+) \(uid \d+\)/g);

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
