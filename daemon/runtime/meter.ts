import type { Status } from '../api/messages.js';
import { metricsText } from '../core/metrics.js';

export interface Meter {
  /** A pass begins. */
  readonly begin: () => void;
  /** It has ended, with this status. */
  readonly end: (status: Status) => void;
  /** `apply`, with what becomes of each step counted. */
  readonly counting: <S extends { readonly kind: string }, Rest extends readonly unknown[]>(
    apply: (step: S, ...rest: Rest) => Promise<void>,
  ) => (step: S, ...rest: Rest) => Promise<void>;
  /** For Prometheus. */
  readonly text: (status: Status | null) => string;
}

/** Counts passes, steps and VMs; `now` is in ms, of a clock that only goes forward. */
export function createMeter(now: () => number): Meter {
  let began = now();
  let passes = 0;
  let passSeconds = 0;
  let vm: string | null = null;
  let vms = 0;
  const steps = new Map<string, { kind: string; outcome: 'done' | 'failed'; count: number }>();
  const count = (kind: string, outcome: 'done' | 'failed'): void => {
    const key = `${kind} ${outcome}`;
    steps.set(key, { kind, outcome, count: (steps.get(key)?.count ?? 0) + 1 });
  };
  return {
    begin: () => {
      began = now();
    },
    end: (status) => {
      passes += 1;
      passSeconds += (now() - began) / 1000;
      if (!status.vm || status.vm.id === vm) return;
      vm = status.vm.id;
      vms += 1;
    },
    counting:
      (apply) =>
      async (step, ...rest) => {
        try {
          await apply(step, ...rest);
          count(step.kind, 'done');
        } catch (error) {
          count(step.kind, 'failed');
          throw error;
        }
      },
    text: (status) => metricsText(status, { passes, passSeconds, steps: [...steps.values()], vms }),
  };
}
