/** What mDNSResponder answers programs from: its cache, and whom it asks for what is not in it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Asking } from './asking.js';
import { isDue, keep, type Kept, type RecordType, type Reply } from './cache.js';
import { type DnsResolver, resolverFor } from './configuration.js';
import { isName } from './wire.js';

export interface Questions {
  /** The resolvers are others from now on: what one that changed or went has answered is forgotten. */
  readonly follow: (resolvers: readonly DnsResolver[]) => void;
  /** SIGHUP: everything is forgotten, and what is being asked is asked again at once. */
  readonly purge: () => void;
  /**
   * getaddrinfo's answer: addresses of this family, or of both (0) with those of IPv6 first; none for what does not exist,
   * cannot be asked for, or is answered by nobody in time.
   */
  readonly addressesOf: (name: string, family: 0 | 4 | 6) => Promise<readonly string[]>;
}

/** Milliseconds for which an answer counts as one that was there already, and what is waited for the other kind then. */
const quick = 20;
const afterQuick = 5000;
/** Otherwise: so much and twice what the first one took; and without an address of IPv4 (Libinfo, mdns_module.c). */
const afterSlow = 2000;
const withoutFour = 10_000;

export function createQuestions(parts: {
  /** Sends a question to a resolver's servers. */
  ask: (resolver: DnsResolver, name: string, type: RecordType) => Asking;
  /** Milliseconds. */
  now: () => number;
}): Questions {
  const { ask, now } = parts;
  let resolvers: readonly DnsResolver[] = [];
  const kept = new Map<string, Kept & { readonly by: string }>();
  const asked = new Map<string, Asking>();

  const seconds = (): number => now() / 1000;
  const by = (name: string): string => JSON.stringify(resolverFor(resolvers, name));

  /** Asks anew, once for all who want it; what comes is kept. */
  function fetch(resolver: DnsResolver, name: string, type: RecordType, key: string): Promise<Reply | null> {
    const running = asked.get(key);
    if (running) return running.reply;
    const asking = ask(resolver, name, type);
    const whose = by(name);
    asked.set(key, asking);
    return asking.reply.then((reply) => {
      if (asked.get(key) === asking) asked.delete(key);
      if (reply && by(name) === whose) kept.set(key, { ...keep(reply, seconds(), kept.get(key)), by: whose });
      return reply;
    });
  }

  async function records(name: string, type: RecordType): Promise<readonly string[]> {
    const resolver = resolverFor(resolvers, name);
    // Records that nothing can be done with are denied without a packet (DetermineUnicastQuerySuppression).
    if (!resolver || resolver.isMulticast || !resolver.records[type === 'A' ? 'a' : 'aaaa']) return [];
    const key = `${type} ${name.toLowerCase()}`;
    const found = kept.get(key);
    if (found && seconds() < found.until) {
      if (isDue(found, seconds())) void fetch(resolver, name, type, key);
      return found.addresses;
    }
    return (await fetch(resolver, name, type, key))?.addresses ?? [];
  }

  return {
    follow: (next) => {
      resolvers = next;
      for (const [key, { by: whose }] of kept)
        if (by(key.slice(key.indexOf(' ') + 1)) !== whose) kept.delete(key);
    },
    purge: () => {
      kept.clear();
      for (const { again } of asked.values()) again();
    },
    addressesOf: async (name, family) => {
      const host = name.replace(/\.$/, '');
      if (!isName(host)) return [];
      if (family === 4) return records(host, 'A');
      if (family === 6) return records(host, 'AAAA');
      const began = now();
      const other = records(host, 'AAAA');
      const four = await records(host, 'A');
      const took = now() - began;
      const wait = four.length === 0 ? withoutFour : took <= quick ? afterQuick : afterSlow + 2 * took;
      const six = await Promise.race([other, pause(wait, [] as readonly string[], { ref: false })]);
      return [...six, ...four];
    },
  };
}
