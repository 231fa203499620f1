import type { Phase } from './condition.js';

const soonest = 1000;
const slowest = 60_000;

/**
 * After how many ms to look again although nothing was heard: a minute where nothing is to come, and after as long as
 * it already lasts (1 s to a minute) where something is, since not everything on the way up tells of itself. Each
 * look starts five commands, which a battery pays. `age` is how long the phase has had its reason, in ms.
 */
export function paceOf(phase: Phase | null, age: number): number {
  return phase === null || phase === 'working' || phase === 'degraded'
    ? Math.min(slowest, Math.max(soonest, age))
    : slowest;
}
