/**
 * What is known of a link that does not stay up: an address that a VPN answers by taking its network is not set again
 * at once and for ever. A pure reducer, fed with every look and the time in ms of a clock that only goes forward. Its
 * pauses are those of routes (routes/yield.ts).
 */
import type { Observation } from '../observation.js';
import { dueAt, fingerprint, isForgiven, isYielded, type Loss } from '../routes/yield.js';
import type { OwnedRoute } from '../routes/table.js';
import { isConnected, type LinkState, takenBy } from './link.js';
import { rowOfLink } from '../routes/table.js';

/** What of it the judgement needs. */
export interface LinkMemory {
  /** How often this daemon has set the address. */
  readonly attempts: number;
  /** That it is not set for now, or null. */
  readonly held: { readonly state: 'waiting' | 'yielded'; readonly losses: number } | null;
  /** Whether the row that somebody has of the link's network came after ours, also when a new VM has no address yet. */
  readonly isTaken: boolean;
}

export const noLinkMemory: LinkMemory = { attempts: 0, held: null, isTaken: false };

export interface LinkHistory {
  /** The VM whose link this is about. */
  readonly vm: string | null;
  readonly wasUp: boolean;
  readonly attempts: number;
  readonly loss: Loss | null;
  readonly isTaken: boolean;
  /** Everybody else's rows, in one text, and since when they are as they are. */
  readonly others: string;
  readonly quietSince: number;
}

export const noLinkHistory: LinkHistory = {
  vm: null,
  wasUp: false,
  attempts: 0,
  loss: null,
  isTaken: false,
  others: '',
  quietSince: 0,
};

/** The history of which nothing is held against anybody: a person wants the link now. */
export const forgiveLink = (history: LinkHistory): LinkHistory => ({ ...history, wasUp: false, loss: null });

/**
 * The history after one more look. What was up, or has just been addressed, and is not up is a loss: by others, and by
 * our own giving way to them alike. A link that nobody wants up loses nothing, and a new VM starts afresh.
 */
export function followLink(
  history: LinkHistory,
  look: {
    link: LinkState;
    routes: Observation['routes'];
    owned: readonly OwnedRoute[];
    isWanted: boolean;
    attempts: number;
    now: number;
  },
): LinkHistory {
  const { link: state, routes, owned, isWanted, attempts, now } = look;
  const { link } = state;
  if (state.kind === 'unknown' || !link || !routes.known) return history;
  // It is neither up nor lost while it is being asked whether somebody else has the address.
  if (state.kind === 'present' && state.lacks === 'uniqueness') return history;
  const row = rowOfLink(link, routes.value);
  const isElsewhere = row !== null && !isConnected(link, row);
  const isOurs = ({ interface: name }: { interface: string }): boolean => name === link.interface;
  const others = fingerprint(
    routes.value.filter((each) => !isOurs(each)),
    new Set([link.network.text, ...owned.map(({ subnet }) => subnet)]),
  );
  const seen = {
    others,
    quietSince: others === history.others ? history.quietSince : now,
    isTaken: isElsewhere && (takenBy(state) !== null || history.isTaken),
    attempts,
  };
  if (state.kind === 'absent' || !isWanted) return { ...seen, vm: null, wasUp: false, loss: null };
  const isSame = history.vm === state.vm.id;
  const before = isSame ? history.loss : null;
  const common = { ...seen, vm: state.vm.id, wasUp: state.kind === 'up' };
  if (state.kind === 'up') {
    const loss = before && { ...before, since: before.since ?? now };
    return { ...common, loss: loss && !isForgiven(loss, seen.quietSince, now) ? loss : null };
  }
  const isLost = isSame && (history.wasUp || attempts !== history.attempts);
  if (isLost) return { ...common, loss: { losses: (before?.losses ?? 0) + 1, lostAt: now, since: null } };
  return { ...common, loss: before && !isForgiven(before, seen.quietSince, now) ? before : null };
}

/** Whether the address waits, or is yielded, at this moment. */
export const heldLink = ({ loss, quietSince }: LinkHistory, now: number): LinkMemory['held'] =>
  loss?.since === null && now < dueAt(loss, quietSince)
    ? { state: isYielded(loss) ? 'yielded' : 'waiting', losses: loss.losses }
    : null;

/** When it may be set again, or null. */
export const linkDue = (history: LinkHistory, now: number): number | null =>
  history.loss !== null && heldLink(history, now) ? dueAt(history.loss, history.quietSince) : null;
