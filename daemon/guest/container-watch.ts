/** Keeps the running containers of one engine known, by as few requests as that takes. */
import type { Container, Seen } from '../core/observation.js';
import { seen, unknown } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';

/** What is needed of the containers: it decides what the engine is asked. */
export type Need = 'nothing' | 'addresses' | 'aliases';

export interface ContainerWatch {
  readonly snapshot: () => Seen<readonly Container[]>;
  /** From now on they are asked for after each change, or not at all. */
  readonly keep: (need: Need) => void;
  /** They may have become others; what comes of one that ends or joins a network is only told in a moment. */
  readonly changed: (how: 'now' | 'ending' | 'joining') => void;
  /** The containers as they are; without a request where nothing has changed. Rejects when the engine does not tell. */
  readonly current: () => Promise<readonly Container[]>;
  /** Nothing is known any more, for this reason. */
  readonly forget: (why: string) => void;
}

/** Milliseconds from one list to the next: a change is asked after this late at the most. */
const leastApart = 1000;
/** Milliseconds after which aliases that a list lacks are asked for again, each time twice as many; and how often in vain. */
const firstRetry = 2000;
const maxRetries = 5;
/**
 * What is restarted ends first: one list is for both. A container joins its networks up to a second before it starts: it is
 * not on a list before that, and the next one would be late. Its start is told, whenever that is.
 */
const lulls = { now: 0, ending: 500, joining: 1000 } as const;

const notNeeded = 'the containers are not asked for while nothing is to be reached';

/** Endpoints whose aliases could be known, and are not: one without an id has none yet, and its start is told. */
const countLacking = (containers: readonly Container[]): number =>
  containers.flatMap(({ endpoints }) => endpoints).filter(({ id, aliases }) => id !== '' && aliases === null)
    .length;

interface Waiter {
  readonly resolve: (containers: readonly Container[]) => void;
  readonly reject: (error: Error) => void;
}

export function watchContainers(parts: {
  list: (need: Need, signal: AbortSignal) => Promise<readonly Container[]>;
  onChange: () => void;
}): ContainerWatch {
  let known: Seen<readonly Container[]> = unknown(notNeeded);
  let need: Need = 'nothing';
  /** What was heard, and how much of it was when the last list began. */
  let heard = 0;
  let listedAt = -1;
  let lastList = -Infinity;
  let life = new AbortController();
  let isListing = false;
  let retry: NodeJS.Timeout | undefined;
  /** What the last list lacked, and how often that has not become less. */
  let lacking = Infinity;
  let retries = 0;
  let due: { readonly at: number; readonly timer: NodeJS.Timeout } | null = null;
  /** Who is told what the list that is under way has, and who waits for the next one. */
  let served: Waiter[] = [];
  let waiters: Waiter[] = [];

  const isCurrent = (): boolean => known.known && !isListing && listedAt === heard;
  const become = (next: Seen<readonly Container[]>): void => {
    const isSame = JSON.stringify(next) === JSON.stringify(known);
    known = next;
    if (!isSame) parts.onChange();
  };
  const disarm = (): void => {
    clearTimeout(due?.timer);
    due = null;
  };
  function arm(milliseconds: number): void {
    if (isListing) return;
    const now = performance.now();
    const at = Math.max(now + milliseconds, lastList + leastApart);
    if (due && due.at <= at) return;
    disarm();
    due = { at, timer: setTimeout(() => void list(), at - now) };
  }

  /** What a list could not tell of all containers is asked for again, although nothing is heard. */
  function askAgain(found: Seen<readonly Container[]>): void {
    const count = need === 'aliases' && found.known ? countLacking(found.value) : 0;
    retries = count < lacking ? 0 : retries + 1;
    lacking = count > 0 ? count : Infinity;
    if (count > 0 && retries < maxRetries)
      retry = setTimeout(
        () => {
          arm(0);
        },
        firstRetry * 2 ** retries,
      );
  }

  async function list(): Promise<void> {
    due = null;
    clearTimeout(retry);
    isListing = true;
    listedAt = heard;
    lastList = performance.now();
    const { signal } = life;
    const own = waiters;
    [served, waiters] = [own, []];
    let found: Seen<readonly Container[]>;
    try {
      found = seen(await parts.list(need, signal));
    } catch (error) {
      found = unknown(`Docker Engine does not tell its containers: ${plain(messageOf(error))}`);
    }
    if (signal.aborted) {
      for (const { reject } of own) reject(new Error('Docker Engine is gone'));
      return;
    }
    isListing = false;
    become(found);
    for (const { resolve, reject } of own)
      if (found.known) resolve(found.value);
      else reject(new Error(found.why));
    if (waiters.length > 0 || (need !== 'nothing' && listedAt !== heard)) arm(0);
    else askAgain(found);
  }

  return {
    snapshot: () => known,
    keep: (next) => {
      if (next === need) return;
      clearTimeout(retry);
      if (next === 'aliases') heard += 1;
      need = next;
      if (isCurrent()) return;
      if (need !== 'nothing') arm(0);
      else if (waiters.length === 0) {
        disarm();
        become(unknown(notNeeded));
      }
    },
    changed: (how) => {
      heard += 1;
      lacking = Infinity;
      if (need !== 'nothing' || waiters.length > 0) arm(lulls[how]);
      else become(unknown(notNeeded));
    },
    current: () => {
      if (isCurrent() && known.known) return Promise.resolve(known.value);
      return new Promise((resolve, reject) => {
        // Of what was heard since it began a list may know nothing.
        (isListing && listedAt === heard ? served : waiters).push({ resolve, reject });
        if (!due) arm(0);
      });
    },
    forget: (why) => {
      life.abort();
      life = new AbortController();
      disarm();
      clearTimeout(retry);
      isListing = false;
      lacking = Infinity;
      heard += 1;
      for (const { reject } of waiters) reject(new Error(why));
      waiters = [];
      become(unknown(why));
    },
  };
}
