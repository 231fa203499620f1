/**
 * Whether a Docker.app is being replaced. It is judged from outside (lstat), by the names and change times of a
 * few places in the bundle; nothing of a user's is opened.
 */
import { join } from 'node:path';
import { ageOf } from '../lib/age.js';
import type { Look } from './outside.js';
import { type Outside, statsOf } from './outside-look.js';

/** A bundle in which nothing changed for this long, in ms, is no longer being written. */
export const quietAfter = 2000;
/** Docker’s updater is done within seconds: a `Docker.app.back` that stays, or a gap, means nothing after this long. */
export const leftoverAfter = 30_000;

/** What every Docker.app has, whichever way its VM runs. */
const needed = [['Contents/Info.plist'], ['Contents/MacOS/Docker', 'Contents/MacOS/com.docker.backend']];
/** Places that change while a bundle is copied. */
const sampled = [
  'Contents',
  'Contents/Frameworks',
  'Contents/Library',
  'Contents/MacOS',
  'Contents/Resources',
  'Contents/Resources/bin',
  'Contents/Resources/bin/com.docker.hyperkit',
  'Contents/Resources/bin/hyperkit',
  'Contents/MacOS/com.docker.hyperkit',
  'Contents/_CodeSignature',
  ...needed.flat(),
];

/** What is seen of a Docker.app and of what its updater leaves beside it. Times are ms since the epoch. */
export interface Signs {
  readonly present: boolean;
  /** Inode and change time of every sampled place. */
  readonly mark: string;
  /** What is missing of what every Docker.app has. */
  readonly missing: readonly string[];
  /** When something inside last changed. */
  readonly changed: number;
  /** When `Docker.app.back` came to be there; null when it is not. */
  readonly back: number | null;
  /** Inode of the bundle’s own program: which installation this is. The device’s number is another after a restart. */
  readonly identity: string | null;
  /** When that program, or the bundle as a whole, came to be there. */
  readonly arrived: number;
}

/** Looks at a Docker.app from outside: what cannot be seen is not there. Rejects with DoesNotAnswer. */
export async function lookAtBundle(app: string, look: Look): Promise<Signs> {
  const paths = [app, `${app}.back`, ...sampled.map((place) => join(app, place))];
  const [bundle = null, back = null, ...places] = (await look(app, paths)).map(statsOf);
  const at = (place: string): Outside | null => places[sampled.indexOf(place)] ?? null;
  const main = at('Contents/MacOS/Docker') ?? at('Contents/MacOS/com.docker.backend');
  return {
    present: at('Contents') !== null,
    mark: [bundle && { ino: bundle.ino, ctimeMs: 0 }, ...places]
      .map((stats) => (stats ? `${stats.ino} ${stats.ctimeMs}` : '-'))
      .join('|'),
    missing: needed
      .filter((choices) => choices.every((place) => at(place) === null))
      .map(([first = '']) => first),
    changed: Math.max(0, ...places.map((stats) => stats?.ctimeMs ?? 0)),
    back: back ? Math.max(back.ctimeMs, bundle?.ctimeMs ?? 0) : null,
    identity: main && String(main.ino),
    arrived: Math.max(bundle?.ctimeMs ?? 0, main?.ctimeMs ?? 0),
  };
}

export interface Unsettled {
  /** For people. */
  readonly why: string;
  /** Milliseconds after which it counts as settled if nothing changes; null: only a change can settle it. */
  readonly settlesIn: number | null;
}

/**
 * Why a bundle is not to be touched, or null. `wall` is the time of day, which may jump; `unchangedFor` is how long
 * (ms) the very same signs have been seen, by a clock that does not.
 */
export function judgeSettling(
  app: string,
  { present, missing, changed, back }: Signs,
  { wall, unchangedFor }: { wall: number; unchangedFor: number },
): Unsettled | null {
  const quiet = (since: number): number => Math.max(wall - since, unchangedFor);
  if (!present)
    return back === null
      ? null
      : {
          why: `${app} was moved to ${app}.back: Docker is being updated. If it is not, move it back or install Docker Desktop anew`,
          settlesIn: null,
        };
  // Without a `.back` a copy that stopped is no update, and a Docker.app of another make may never have these.
  if (missing.length > 0 && (back !== null || quiet(changed) < leftoverAfter))
    return {
      why: `${app} lacks ${missing.join(' and ')}: Docker is being updated, or a copy broke off; then install Docker Desktop anew`,
      settlesIn: back === null ? leftoverAfter - quiet(changed) : null,
    };
  if (quiet(changed) < quietAfter)
    return { why: `${app} is being written`, settlesIn: quietAfter - quiet(changed) };
  if (back !== null && quiet(back) < leftoverAfter)
    return { why: `${app}.back is there: Docker is being updated`, settlesIn: leftoverAfter - quiet(back) };
  return null;
}

export interface Settling {
  /** What is seen of the bundle now, and why it is not to be touched, or null. Rejects with DoesNotAnswer. */
  readonly look: (app: string) => Promise<{ signs: Signs; unsettled: Unsettled | null }>;
  /** What just changed in the bundle was our own doing. */
  readonly ours: (app: string) => Promise<void>;
}

/**
 * Remembers since when every bundle looks as it does. One that came before the clock was set back came, by what the
 * clock says from then on, when that was noticed: a process that starts later is one of its own.
 */
export function createSettling(clock: { wall: () => number; steady: () => number }, look: Look): Settling {
  const known = new Map<string, { mark: string; since: number }>();
  const arrivals = new Map<string, { stamp: number; arrived: number }>();
  function arrivalOf(app: string, stamp: number, wall: number): number {
    const before = arrivals.get(app);
    const last = before?.stamp === stamp ? before.arrived : stamp;
    const arrived = ageOf(last, wall) === Infinity ? wall : last;
    arrivals.set(app, { stamp, arrived });
    return arrived;
  }
  return {
    look: async (app) => {
      const signs = await lookAtBundle(app, look);
      const wall = clock.wall();
      const before = known.get(app);
      const since = before?.mark === signs.mark ? before.since : clock.steady();
      known.set(app, { mark: signs.mark, since });
      const times = { wall, unchangedFor: clock.steady() - since };
      return {
        signs: { ...signs, arrived: arrivalOf(app, signs.arrived, wall) },
        unsettled: judgeSettling(app, signs, times),
      };
    },
    ours: async (app) => {
      known.set(app, { mark: (await lookAtBundle(app, look)).mark, since: -Infinity });
    },
  };
}
