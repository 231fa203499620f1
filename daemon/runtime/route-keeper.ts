import {
  followLink,
  forgiveLink,
  heldLink,
  linkDue,
  type LinkHistory,
  noLinkHistory,
} from '../core/link/yield.js';
import type { MemoryKeeper } from './memory.js';
import type { Look } from '../core/judgement.js';
import type { Journalled, Lived, Memory } from '../core/memory.js';
import { followRoutes, heldRoutes, nextDue, noHistory, type RouteHistory } from '../core/routes/yield.js';
import { stillOwned } from '../core/routes/table.js';

export interface TableHistory {
  readonly routes: RouteHistory;
  readonly link: LinkHistory;
}

export const noTableHistory: TableHistory = { routes: noHistory, link: noLinkHistory };

/** The same, but that nothing waits any longer. */
export const forgive = ({ link }: TableHistory): TableHistory => ({
  routes: noHistory,
  link: forgiveLink(link),
});

/** What a look at the routing table changes in the memory; null: what it needs could not be seen. Pure. */
export function followTable(
  history: TableHistory,
  { observation, link, memory, now }: Look & { memory: Memory; now: number },
): {
  readonly history: TableHistory;
  readonly change: Pick<Lived, 'heldRoutes' | 'link'> & Partial<Pick<Journalled, 'ownedRoutes'>>;
} | null {
  const { routes } = observation;
  if (!routes.known || link.kind === 'unknown') return null;
  const { ownedRoutes: owned, wanted, lowered } = memory;
  const next = {
    routes: followRoutes(history.routes, {
      owned,
      table: routes.value,
      linkIsUp: link.kind === 'up',
      now,
    }),
    link: followLink(history.link, {
      link,
      routes,
      owned,
      isWanted: wanted === 'up' && !lowered,
      attempts: memory.link.attempts,
      now,
    }),
  };
  const standing = stillOwned(link.link, owned, routes.value);
  return {
    history: next,
    change: {
      heldRoutes: heldRoutes(next.routes, now),
      link: { ...memory.link, held: heldLink(next.link, now), isTaken: next.link.isTaken },
      ...(standing.length === owned.length ? {} : { ownedRoutes: standing }),
    },
  };
}

export interface RouteKeeper {
  /** Brings the memory up to date with a look at the routing table; what could not be seen changes nothing. */
  readonly notice: (look: Look) => Promise<void>;
  /** A person wants link and routes now, whoever keeps removing them. */
  readonly forget: () => Promise<void>;
  readonly stop: () => void;
}

/**
 * Remembers which routes are ours, and which of them, or of the link, others keep removing. `onDue` is called when one
 * may be set again; `now` is in ms of a clock that only goes forward.
 */
export function keepRoutes(parts: {
  memory: Pick<MemoryKeeper, 'now' | 'record' | 'learn'>;
  now: () => number;
  onDue: () => void;
}): RouteKeeper {
  const { memory, now, onDue } = parts;
  let history = noTableHistory;
  let timer: NodeJS.Timeout | undefined;
  return {
    notice: async (look) => {
      const time = now();
      const followed = followTable(history, { ...look, memory: memory.now(), now: time });
      if (!followed) return;
      history = followed.history;
      const { ownedRoutes, ...lived } = followed.change;
      await Promise.all([memory.learn(lived), ownedRoutes ? memory.record({ ownedRoutes }) : null]);
      clearTimeout(timer);
      const due = [nextDue(history.routes, time), linkDue(history.link, time)].filter((at) => at !== null);
      if (due.length > 0) timer = setTimeout(onDue, Math.min(...due) - time);
    },
    forget: async () => {
      history = forgive(history);
      clearTimeout(timer);
      await memory.learn({ heldRoutes: [], link: { ...memory.now().link, held: null } });
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}
