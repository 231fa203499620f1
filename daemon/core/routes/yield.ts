/**
 * Routes of ours that others keep removing: each comes back after longer pauses, and from the fifth loss in a row it is
 * *yielded* until the table has settled (docs/decisions/0008). A pure reducer, fed with every look at the table and the
 * time in ms of a clock that only goes forward.
 */
import type { Route } from '../observation.js';
import { type OwnedRoute, isRowOf } from './table.js';

/** How often something was lost in a row, and when last. */
export interface Loss {
  readonly losses: number;
  readonly lostAt: number;
  /** Since when it stands again; null while it is missing. */
  readonly since: number | null;
}

export interface RouteHistory {
  readonly losses: ReadonlyMap<string, Loss>;
  /** Everybody else's rows, in one text, and since when they are as they are. */
  readonly others: string;
  readonly quietSince: number;
}

/** A route of ours that is not added for now. */
export interface HeldRoute {
  readonly subnet: string;
  readonly state: 'waiting' | 'yielded';
  readonly losses: number;
}

export const noHistory: RouteHistory = { losses: new Map(), others: '', quietSince: 0 };

const pauses = [0, 1000, 2000, 4000];
const settleTime = 10_000;
const longestSettleTime = 300_000;
/** A route that stood this long was not fought over. */
const forgiven = 60_000;

export const isYielded = ({ losses }: Loss): boolean => losses > pauses.length;

/** When what was lost may come back, while others' rows are as they are since `quietSince`. */
export function dueAt(loss: Loss, quietSince: number): number {
  if (!isYielded(loss)) return loss.lostAt + (pauses[loss.losses - 1] ?? 0);
  const settle = Math.min(longestSettleTime, settleTime * 2 ** (loss.losses - pauses.length - 1));
  return Math.max(loss.lostAt, quietSince) + settle;
}

/** Whether it has stood for so long, or nobody has wanted it back for so long, that the next loss is a first one. */
export const isForgiven = (loss: Loss, quietSince: number, now: number): boolean =>
  now - (loss.since ?? dueAt(loss, quietSince)) >= forgiven;

/** Neighbours and their expiry come and go without anybody's doing: only rows that others entered count. */
export const fingerprint = (table: readonly Route[], ours: ReadonlySet<string>): string =>
  table
    .filter(({ destination, flags }) => !flags.includes('W') && !ours.has(destination.text))
    .map((row) => `${row.destination.text} ${row.gateway} ${row.interface}`)
    .join('\n');

/**
 * The history after one more look: `owned` is what was ours at the last one. Losses count only while the link is up,
 * since with it every route of ours goes by itself.
 */
export function followRoutes(
  history: RouteHistory,
  look: { owned: readonly OwnedRoute[]; table: readonly Route[]; linkIsUp: boolean; now: number },
): RouteHistory {
  const { owned, table, linkIsUp, now } = look;
  if (!linkIsUp) return { ...noHistory, quietSince: now };
  const rows = new Map(
    table.filter((row) => isRowOf(row.destination.text, row)).map((row) => [row.destination.text, row]),
  );
  const losses = new Map<string, Loss>();
  for (const [subnet, loss] of history.losses) {
    const stands = rows.has(subnet);
    const followed = stands ? { ...loss, since: loss.since ?? now } : loss;
    const isOver = (stands || loss.since === null) && isForgiven(followed, history.quietSince, now);
    if (!isOver) losses.set(subnet, followed);
  }
  for (const { subnet } of owned) {
    if (rows.has(subnet)) continue;
    losses.set(subnet, { losses: (losses.get(subnet)?.losses ?? 0) + 1, lostAt: now, since: null });
  }
  const ours = new Set([...owned.map(({ subnet }) => subnet), ...losses.keys()]);
  const others = fingerprint(table, ours);
  return { losses, others, quietSince: others === history.others ? history.quietSince : now };
}

/** Which routes wait, or are yielded, at this moment. */
export const heldRoutes = (history: RouteHistory, now: number): readonly HeldRoute[] =>
  [...history.losses]
    .filter(([, loss]) => loss.since === null && now < dueAt(loss, history.quietSince))
    .map(([subnet, loss]) => ({
      subnet,
      state: isYielded(loss) ? 'yielded' : 'waiting',
      losses: loss.losses,
    }));

/** When the next one of them is due, or null. */
export function nextDue(history: RouteHistory, now: number): number | null {
  const due = [...history.losses.values()]
    .filter(({ since }) => since === null)
    .map((loss) => dueAt(loss, history.quietSince))
    .filter((at) => at > now);
  return due.length === 0 ? null : Math.min(...due);
}
