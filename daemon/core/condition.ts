/** What a condition is, and what its judges are given. Pure. */
import type { ConditionType } from '../api/reasons/record.js';
import type { Reason, ReasonOf } from '../api/reasons/registry.js';
import type { Judgement } from './judgement.js';
import type { Step, StepCondition, StepReason } from './steps.js';

export interface Finding {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

export type Phase = 'ready' | 'idle' | 'down' | 'working' | 'degraded' | 'blocked';

/** A step that failed last time, until it succeeds or is no longer asked for. */
export type Failure = StepReason & {
  readonly step: Step;
  readonly message: string;
  readonly blocked: boolean;
};

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

/** The failure of a step that this condition is about, as the verdict that replaces a mere "not yet". */
export function failed<T extends StepCondition>(
  type: T,
  failures: readonly Failure[],
): Verdict<ReasonOf<T>> | null {
  const failure = failures.find((one): one is Failure & StepReason<T> => one.condition === type);
  return failure ? no(failure.reason, failure.message) : null;
}
