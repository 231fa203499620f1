/** What a condition is, and what its judges are given. Pure. */
import type { ConditionType } from '../api/reasons/record.js';
import { isReasonOf, type Reason, type ReasonOf } from '../api/reasons/registry.js';
import type { Judgement } from './judgement.js';
import type { Step } from './steps.js';

export interface Finding {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

export type Phase = 'ready' | 'idle' | 'down' | 'working' | 'degraded' | 'blocked';

/** A step that failed last time, until it succeeds or is no longer asked for. */
export interface Failure {
  readonly step: Step;
  readonly reason: Reason;
  readonly message: string;
  readonly blocked: boolean;
}

export interface Verdict<R extends Reason = Reason> extends Omit<Finding, 'type'> {
  readonly reason: R;
}

export const yes = <R extends Reason>(reason: R, message: string): Verdict<R> => ({
  status: 'True',
  reason,
  message,
});
export const no = <R extends Reason>(reason: R, message: string): Verdict<R> => ({
  status: 'False',
  reason,
  message,
});
export const unclear = <R extends Reason = 'NotSeen'>(
  message: string,
  reason?: R,
): Verdict<R | 'NotSeen'> => ({
  status: 'Unknown',
  reason: reason ?? 'NotSeen',
  message,
});

/** One condition of a pass, by its own reasons; `failures`: the steps that failed last time. */
export type Judge<T extends ConditionType> = (
  judgement: Judgement,
  failures: readonly Failure[],
) => Verdict<ReasonOf<T>>;

/** The failure of a step of these kinds, as the verdict that replaces a mere "not yet". */
export function failed<T extends 'TapDevice' | 'Shim' | 'TapAddress' | 'Guest' | 'Routes' | 'Names'>(
  type: T,
  failures: readonly Failure[],
  kinds: readonly Step['kind'][],
): Verdict<ReasonOf<T> | 'Failed'> | null {
  const failure = failures.find(({ step }) => kinds.includes(step.kind));
  if (!failure) return null;
  const { reason, message } = failure;
  return no(isReasonOf(type, reason) ? reason : 'Failed', message);
}
