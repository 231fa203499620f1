import { setImmediate as turn } from 'node:timers/promises';
import type { Work } from './work.js';

/** Milliseconds of work between two turns of the loop. */
const slice = 5;

/** Does work in short parts, between which whatever waits has its turn. Resolves to what it makes; rejects as it throws. */
export async function inSlices<T>(work: Work<T>): Promise<T> {
  let began = performance.now();
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (performance.now() - began < slice) continue;
    await turn();
    began = performance.now();
  }
}
