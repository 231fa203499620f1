import { setTimeout as pause } from 'node:timers/promises';
import type { Way } from '../core/memory.js';
import type { EngineClient } from '../guest/engine-client.js';
import { leaveGuest } from '../guest/link-end.js';
import { messageOf } from '../lib/text.js';
import type { Left } from './engine.js';
import type { MemoryKeeper } from './memory.js';

/** How often it is tried, since the engine may be busy with the next VM's start; and milliseconds between two times. */
const maxTried = 3;
const apart = 10_000;

/**
 * What takes rules and image of ours out of a VM whose engine is no longer followed, and forgets at once that they are
 * there. It never rejects: what an engine does not do in three times stays, and is said in the log.
 */
export function createTakeBack(parts: {
  /** Whether anything is ever done in a VM. */
  manage: boolean;
  memory: Pick<MemoryKeeper, 'now' | 'learn'>;
  log: (message: string) => void;
}): (engine: EngineClient, left: Left, signal: AbortSignal) => Promise<void> {
  const { manage, memory, log } = parts;
  return async (engine, left, signal) => {
    const now = memory.now();
    const forgotten = ({ guest, mayBeSetUp }: Way): Partial<Way> => ({
      ...(guest?.session === left.session && { guest: null }),
      ...(mayBeSetUp === left.vm && { mayBeSetUp: null }),
    });
    const [of4, of6] = [forgotten(now), forgotten(now.ipv6)];
    if (!manage || Object.keys({ ...of4, ...of6 }).length === 0) return;
    await memory.learn({ ...of4, ipv6: { ...now.ipv6, ...of6 } });
    for (let tried = 1; ; tried += 1)
      try {
        await leaveGuest(engine, { signal });
        log(`VM ${left.vm} is no longer followed: rules and image of ours are taken out of it`);
        return;
      } catch (error) {
        const isLast = signal.aborted || tried === maxTried;
        log(
          `VM ${left.vm} is no longer followed, and what was done in it ${isLast ? 'stays' : 'is there yet'}: ${messageOf(error)}`,
        );
        if (isLast) return;
        await pause(apart, undefined, { signal, ref: false }).catch(() => undefined);
      }
  };
}
