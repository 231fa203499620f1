import {
  followLink,
  forgiveLink,
  heldLink,
  linkDue,
  type LinkHistory,
  noLinkHistory,
  noLinkMemory,
} from '../core/link/yield.js';
import type { MemoryKeeper } from './memory.js';
import type { Look } from '../core/judgement.js';
import type { LinkState } from '../core/link/link.js';
import type { Journalled, Lived, Memory, Way } from '../core/memory.js';
import type { Observation } from '../core/observation.js';
import { followRoutes, heldRoutes, nextDue, noHistory, type RouteHistory } from '../core/routes/yield.js';
import { type OwnedRoute, stillOwned } from '../core/routes/table.js';
import { isIpv6 } from '../lib/prefix.js';

interface WayHistory {
  readonly routes: RouteHistory;
  readonly link: LinkHistory;
}

/** Of the table of IPv4, and of that of IPv6. */
export interface TableHistory extends WayHistory {
  readonly ipv6: WayHistory;
}

const noWayHistory: WayHistory = { routes: noHistory, link: noLinkHistory };
export const noTableHistory: TableHistory = { ...noWayHistory, ipv6: noWayHistory };

const forgiveWay = ({ link }: WayHistory): WayHistory => ({ routes: noHistory, link: forgiveLink(link) });

/** The same, but that nothing waits any longer. */
export const forgive = ({ ipv6, ...ipv4 }: TableHistory): TableHistory => ({
  ...forgiveWay(ipv4),
  ipv6: forgiveWay(ipv6),
});

/** What a look at the table of one family says of its routes and its link; null: what it needs could not be seen. */
function followWay(
  history: WayHistory,
  look: {
    routes: Observation['routes'];
    link: LinkState;
    way: Pick<Way, 'link'>;
    owned: readonly OwnedRoute[];
    isWanted: boolean;
    now: number;
  },
) {
  const { routes, link, way, owned, isWanted, now } = look;
  if (!routes.known || link.kind === 'unknown') return null;
  const next = {
    routes: followRoutes(history.routes, {
      owned,
      table: routes.value,
      linkIsUp: link.kind === 'up',
      now,
    }),
    link: followLink(history.link, { link, routes, owned, isWanted, attempts: way.link.attempts, now }),
  };
  return {
    history: next,
    held: heldRoutes(next.routes, now),
    link: { ...way.link, held: heldLink(next.link, now), isTaken: next.link.isTaken },
    standing: stillOwned(link.link, owned, routes.value),
  };
}

/**
 * What a look at the routing tables changes in the memory; null: what it needs of IPv4 could not be seen. Of IPv6 what
 * could not be seen stays as it was. Pure.
 */
export function followTable(
  history: TableHistory,
  { observation, link, link6, memory, now }: Look & { memory: Memory; now: number },
): {
  readonly history: TableHistory;
  readonly change: Pick<Lived, 'heldRoutes' | 'link'> &
    Partial<Pick<Lived, 'ipv6'> & Pick<Journalled, 'ownedRoutes'>>;
} | null {
  const { ownedRoutes, wanted, lowered } = memory;
  const isWanted = wanted === 'up' && !lowered;
  const isOfIpv6 = ({ subnet }: { subnet: string }): boolean => isIpv6(subnet);
  const owned6 = ownedRoutes.filter(isOfIpv6);
  const owned = owned6.length === 0 ? ownedRoutes : ownedRoutes.filter((route) => !isOfIpv6(route));
  const found = followWay(history, { ...observation, link, way: memory, owned, isWanted, now });
  if (!found) return null;
  const found6 =
    link6 && observation.ipv6
      ? followWay(history.ipv6, {
          ...{ routes: observation.ipv6.routes, link: link6, way: memory.ipv6 },
          ...{ owned: owned6, isWanted, now },
        })
      : null;
  const standing = [...found.standing, ...(found6?.standing ?? owned6)];
  // Where nobody needs it any more nothing is held against anybody.
  const isForgotten = !link6 && memory.ipv6.link.held !== null;
  const attempts = { ...noLinkMemory, attempts: memory.ipv6.link.attempts };
  const known6 = found6?.link ?? (isForgotten ? attempts : null);
  return {
    history: { ...found.history, ipv6: found6?.history ?? (link6 ? history.ipv6 : noWayHistory) },
    change: {
      heldRoutes: [...found.held, ...(found6?.held ?? memory.heldRoutes.filter(isOfIpv6))],
      link: found.link,
      ...(known6 ? { ipv6: { ...memory.ipv6, link: known6 } } : {}),
      ...(standing.length === ownedRoutes.length ? {} : { ownedRoutes: standing }),
    },
  };
}

/** Milliseconds until it is looked at again whether an address of ours is known to be nobody else's; nothing tells of it. */
const asked = 500;

/** When something of these ways is due, in ms of the clock; null: nothing is. */
function dueNext({ ipv6, ...ipv4 }: TableHistory, link6: Look['link6'], now: number): number | null {
  const isAsked = link6?.kind === 'present' && link6.lacks === 'uniqueness' && link6.isAsked;
  const due = [
    ...[ipv4, ipv6].flatMap((way) => [nextDue(way.routes, now), linkDue(way.link, now)]),
    isAsked ? now + asked : null,
  ].filter((at) => at !== null);
  return due.length === 0 ? null : Math.min(...due);
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
      const due = dueNext(history, look.link6, time);
      if (due !== null) timer = setTimeout(onDue, due - time);
    },
    forget: async () => {
      history = forgive(history);
      clearTimeout(timer);
      const { link, ipv6 } = memory.now();
      await memory.learn({
        heldRoutes: [],
        link: { ...link, held: null },
        ipv6: { ...ipv6, link: { ...ipv6.link, held: null } },
      });
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}
