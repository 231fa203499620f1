/** What was told of late, and is kept by whoever asked: when it is no longer true somebody has to be told. */
import type { Work } from '../lib/work.js';
import type { Asked } from './answer.js';
import { find, type NamesTable } from './table.js';

/** Milliseconds for which macOS may keep a denial, which it asks for again ever later, and an address (mDNSCore). */
const deniedFor = 75 * 60_000;
const givenFor = 20_000;

const maxEntries = 10_000;

export interface History {
  /** Notes that this was asked, and what the table has of it; `now` in ms. */
  readonly note: (asked: Asked, table: NamesTable, now: number) => void;
  /**
   * Whether a name that was denied is there by now, or one that was given is elsewhere: each is said once. Anybody can
   * have it remember long names: it yields after each of them.
   */
  readonly findStale: (table: NamesTable, now: number) => Work<boolean>;
}

/** The addresses of that kind, as one text; none where there are none. */
function addressesOf(table: NamesTable, { name, type }: Asked): string {
  const found = find(table, name);
  if (found.kind !== 'host') return '';
  return found.addresses.filter((address) => address.includes(':') === (type === 'AAAA')).join(' ');
}

/** Bounded: of ten thousand names the oldest are forgotten. */
export function createHistory(): History {
  const entries = new Map<string, { asked: Asked; told: string; until: number }>();
  return {
    note: (asked, table, now) => {
      if (asked.type !== 'A' && asked.type !== 'AAAA') return;
      const told = addressesOf(table, asked);
      const key = `${asked.type} ${asked.name}`;
      // The last one that was told is the oldest to be forgotten.
      entries.delete(key);
      entries.set(key, { asked, told, until: now + (told === '' ? deniedFor : givenFor) });
      const [oldest] = entries.keys();
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    },
    findStale: function* (table, now) {
      let stale = false;
      // What is asked meanwhile is told anew, and comes after all of these.
      let left = entries.size;
      for (const [key, { asked, told, until }] of entries) {
        if (left === 0) break;
        left -= 1;
        const is = addressesOf(table, asked);
        const moved = is !== '' && is !== told;
        if (until <= now || moved) entries.delete(key);
        if (until > now && moved) stale = true;
        yield;
      }
      return stale;
    },
  };
}
