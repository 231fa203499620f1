/** Time that passes when a test says so, for what has its clock from outside. Milliseconds, from 0 on. */
export interface Clock {
  readonly now: () => number;
  /** Returns what cancels it. */
  readonly setTimer: (callback: () => void, milliseconds: number) => () => void;
  /** Lets time pass: timers fire in their order, and what they began settles before the next. */
  readonly pass: (milliseconds: number) => Promise<void>;
}

/** A pass of the reconciler is some dozens of promises. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export function createClock(): Clock {
  let now = 0;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  return {
    now: () => now,
    setTimer: (callback, milliseconds) => {
      const timer = { at: now + milliseconds, callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    pass: async (milliseconds) => {
      const end = now + milliseconds;
      for (;;) {
        await settle();
        const [next] = [...timers].toSorted((a, b) => a.at - b.at);
        if (!next || next.at > end) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.callback();
      }
      now = end;
    },
  };
}
