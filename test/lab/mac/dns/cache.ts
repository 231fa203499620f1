/** How long mDNSResponder keeps an answer (mDNSCore/mDNS.c, the same from macOS 10.13 to 15). Pure; times in seconds. */

export type RecordType = 'A' | 'AAAA';

export interface Reply {
  /** None: the name does not exist, or has no such record. */
  readonly addresses: readonly string[];
  readonly ttl: number;
}

export interface Kept extends Reply {
  readonly since: number;
  readonly until: number;
}

const leastLife = 15;
const leastDenial = 60;
const longestDenial = 3600;

const lifetime = (ttl: number): number => Math.max(leastLife, ttl + Math.floor(ttl / 4) + 2);

/**
 * A reply as it is kept from `now` on. A denial counts a minute at the least, whatever its SOA says, and twice as long as
 * the one that it replaces while that was still kept.
 */
export function keep(reply: Reply, now: number, before: Kept | undefined): Kept {
  if (reply.addresses.length > 0) return { ...reply, since: now, until: now + lifetime(reply.ttl) };
  const again = before && before.addresses.length === 0 && now < before.until ? before.ttl * 2 : 0;
  const ttl = Math.min(longestDenial, Math.max(leastDenial, reply.ttl, again));
  return { addresses: [], ttl, since: now, until: now + lifetime(ttl) };
}

/** Whether it is asked for anew although it is still kept: in the last fifth of its life, when somebody wants it. */
export const isDue = ({ since, until }: Kept, now: number): boolean => now - since >= (until - since) * 0.8;
