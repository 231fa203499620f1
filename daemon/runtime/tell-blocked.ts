import type { Status } from '../api/messages.js';
import { blockedNotice } from '../core/blocked-notice.js';
import type { Judgement } from '../core/judgement.js';
import type { notify } from '../mac/notify.js';
import type { MemoryKeeper } from './memory.js';

/** Milliseconds for which the same thing is in the way before anybody is told: much passes by itself within a second. */
const lasting = 30_000;

/**
 * Tells the user in front what only a person can mend, at the first look once it has lasted. It is written down first:
 * whoever is told twice stops reading. `now`: ms of a clock that only goes forward.
 */
export function createTeller(parts: {
  memory: Pick<MemoryKeeper, 'now' | 'record'>;
  notify: typeof notify;
  now: () => number;
}): (judgement: Judgement, status: Status) => void {
  const { memory, notify: show, now } = parts;
  let untold: { readonly what: string | undefined; readonly since: number } | null = null;
  return ({ config, observation }, status) => {
    const before = memory.now();
    const { notice, toldBlocked } = blockedNotice(config, observation, status, before);
    const what = toldBlocked.at(-1);
    if (!notice) untold = null;
    else if (untold?.what !== what) untold = { what, since: now() };
    if (toldBlocked === before.toldBlocked || (untold && now() - untold.since < lasting)) return;
    void memory.record({ toldBlocked }).then(async () => {
      if (notice) await show(notice.user, 'tuntapd needs you', notice.text);
    });
  };
}
