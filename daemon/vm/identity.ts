import type { Vm } from '../core/observation.js';
import type { Process } from './processes.js';

/** Which VM a process is: never its pid alone. Null where `ps` did not tell whose it is, or since when it runs. */
export function identityOf({
  pid,
  uid,
  startTime,
}: Process): Pick<Vm, 'id' | 'pid' | 'uid' | 'startedAt'> | null {
  if (uid === undefined || startTime === undefined) return null;
  const startedAt = startTime.toISOString();
  return { id: `${pid}@${startedAt}`, pid, uid, startedAt };
}
