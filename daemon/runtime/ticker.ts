import { type Moment, slept, tick } from '../core/wake.js';

const now = (): Moment => ({ wall: Date.now(), monotonic: performance.now() });

/** Calls `onTick` every ten seconds; `hasSlept` when the Mac slept since the call before. */
export function everyTick(onTick: (hasSlept: boolean) => void): { readonly stop: () => void } {
  let last = now();
  const ticker = setInterval(() => {
    const before = last;
    last = now();
    onTick(slept(before, last));
  }, tick);
  return {
    stop: () => {
      clearInterval(ticker);
    },
  };
}
