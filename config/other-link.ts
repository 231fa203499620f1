import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.js';

/**
 * Whether the link that `after` asks for is another than that of `before`: what was made for that one has to be undone
 * while it is known. The keys are those of which the schema says that the link is made anew.
 */
export function isOtherLink(before: Config, after: Config): boolean {
  const linkOf = ({ docker: { context }, link, tap, ipv6 }: Config): unknown => ({
    ...{ context, link, tap },
    ...{ manage: ipv6.manage, ends: [ipv6.address, ipv6.peer, ipv6.prefix] },
  });
  return !isDeepStrictEqual(linkOf(before), linkOf(after));
}
