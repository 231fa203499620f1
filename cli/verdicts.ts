/** What doctor makes of a daemon's conditions. Pure. */
import type { Condition, Status } from '../daemon/api/messages.js';
import { causesIn } from '../daemon/api/reasons/consequences.js';
import { explanationOf } from '../daemon/api/reasons/registry.js';
import type { Answer } from './answer.js';
import { isCalm, isFailure, isHealthy } from './status-view.js';

/** As much of a status as conditions are judged by. */
type Judged = Pick<Status, 'phase' | 'conditions'>;

/** Whether it is missing merely because something else is, which need not be there. */
function isExcused(condition: Condition, status: Judged): boolean {
  const causes = causesIn(condition, status.conditions);
  return causes.length > 0 && causes.every((cause) => verdictOf(cause, status) === 'pass');
}

/** Whether a condition is as it should be; the summary is as the phase is. */
export function verdictOf(condition: Condition, status: Judged): Answer['status'] {
  const { type, reason } = condition;
  if (condition.status === 'True') return 'pass';
  if (type === 'Ready') return isHealthy(status) ? 'pass' : 'fail';
  const isFine =
    explanationOf(type, reason)?.severity === 'idle' ||
    isCalm(status, condition) ||
    isExcused(condition, status);
  if (condition.status === 'Unknown') return isFine || !isFailure(condition) ? 'unknown' : 'fail';
  return isFine ? 'pass' : 'fail';
}
