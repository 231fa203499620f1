import type { Status } from '../api/messages.js';
import { blockedNotice } from '../core/blocked-notice.js';
import type { Judgement } from '../core/judgement.js';
import type { notify } from '../mac/notify.js';
import type { MemoryKeeper } from './memory.js';

/** Tells the user in front what only a person can mend. It is written down first: whoever is told twice stops reading. */
export function createTeller(parts: {
  memory: Pick<MemoryKeeper, 'now' | 'record'>;
  notify: typeof notify;
}): (judgement: Judgement, status: Status) => void {
  const { memory, notify: show } = parts;
  return ({ config, observation }, status) => {
    const before = memory.now();
    const { notice, toldBlocked } = blockedNotice(config, observation, status, before);
    if (toldBlocked === before.toldBlocked) return;
    void memory.record({ toldBlocked }).then(async () => {
      if (notice) await show(notice.user, 'tuntapd needs you', notice.text);
    });
  };
}
