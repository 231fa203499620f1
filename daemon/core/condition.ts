/** What a condition is, and what its judges are given. Pure. */
import type { Judgement } from './judgement.js';
import type { Step } from './steps.js';

export const conditionTypes = [
  'Configuration',
  'ConsoleUser',
  'TapDevice',
  'Shim',
  'VirtualMachine',
  'TapAttached',
  'TapAddress',
  'Engine',
  'Guest',
  'Routes',
  'DataPath',
  'Ready',
] as const;

export type ConditionType = (typeof conditionTypes)[number];

export interface Finding {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export type Phase = 'ready' | 'idle' | 'down' | 'working' | 'degraded' | 'blocked';

/** A step that failed last time, until it succeeds or is no longer asked for. */
export interface Failure {
  readonly step: Step;
  readonly reason: string;
  readonly message: string;
  readonly blocked: boolean;
}

export type Verdict = Omit<Finding, 'type'>;

export const yes = (reason: string, message: string): Verdict => ({ status: 'True', reason, message });
export const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
export const unclear = (message: string, reason = 'NotSeen'): Verdict => ({
  status: 'Unknown',
  reason,
  message,
});

/** One condition of a pass; `failures`: the steps that failed last time. */
export type Judge = (judgement: Judgement, failures: readonly Failure[]) => Verdict;

/** The failure of a step of these kinds, as the verdict that replaces a mere "not yet". */
export function failed(failures: readonly Failure[], kinds: readonly Step['kind'][]): Verdict | null {
  const failure = failures.find(({ step }) => kinds.includes(step.kind));
  return failure ? no(failure.reason, failure.message) : null;
}
