import { setTimeout as pause } from 'node:timers/promises';
import type { Way } from '../core/memory.js';
import type { EngineClient } from '../guest/engine-client.js';
import { DialError } from '../guest/engine-socket.js';
import { leaveGuest } from '../guest/link-end.js';
import { messageOf } from '../lib/text.js';
import type { Left } from './engine.js';
import type { MemoryKeeper } from './memory.js';

/** How often it is tried: the Mac may be busy with the next VM's start. */
const maxTries = 3;

/**
 * What takes rules and image of ours out of a VM whose engine is no longer followed, and forgets at once that they are
 * there. It never rejects: what an engine does not do in three tries stays, and is said in the log.
 */
export function createTakeBack(parts: {
  /** Whether anything is ever done in a VM. */
  manage: boolean;
  memory: Pick<MemoryKeeper, 'now' | 'learn'>;
  log: (message: string) => void;
  /** Milliseconds between two tries. */
  betweenTries?: number;
}): (engine: EngineClient, left: Left, signal: AbortSignal) => Promise<void> {
  const { manage, memory, log, betweenTries = 10_000 } = parts;
  return async (engine, left, signal) => {
    const now = memory.now();
    const forgotten = ({ guest, mayBeSetUp }: Way): Partial<Way> => ({
      ...(guest?.session === left.session && { guest: null }),
      ...(mayBeSetUp === left.vm && { mayBeSetUp: null }),
    });
    const [of4, of6] = [forgotten(now), forgotten(now.ipv6)];
    if (!manage || Object.keys({ ...of4, ...of6 }).length === 0) return;
    await memory.learn({ ...of4, ipv6: { ...now.ipv6, ...of6 } });
    const isGivenUp = (): boolean => signal.aborted;
    for (let tries = 1; !isGivenUp(); tries += 1)
      try {
        await leaveGuest(engine, { signal });
        log(`VM ${left.vm} is no longer followed: rules and image of ours are taken out of it`);
        return;
      } catch (error) {
        const isLast = tries === maxTries || (error instanceof DialError && error.reason === 'VmEnded');
        if (!isGivenUp())
          log(
            `VM ${left.vm} is no longer followed, and what was done in it ${isLast ? 'stays' : 'is still there'}: ${messageOf(error)}`,
          );
        if (isLast) return;
        await pause(betweenTries, undefined, { signal, ref: false }).catch(() => undefined);
      }
  };
}
