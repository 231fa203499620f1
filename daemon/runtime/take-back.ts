import type { EngineClient } from '../guest/engine-client.js';
import { leaveGuest } from '../guest/link-end.js';
import { messageOf } from '../lib/text.js';
import type { Left } from './engine.js';
import type { MemoryKeeper } from './memory.js';

/** Milliseconds for an engine that nobody follows any more. */
const timeout = 30_000;

/**
 * What takes rules and image of ours out of a VM whose engine is no longer followed, and forgets at once that they are
 * there. It never rejects: what an engine does not do in half a minute stays, and is said in the log.
 */
export function createTakeBack(parts: {
  /** Whether anything is ever done in a VM. */
  manage: boolean;
  memory: Pick<MemoryKeeper, 'now' | 'learn'>;
  log: (message: string) => void;
}): (engine: EngineClient, left: Left, signal: AbortSignal) => Promise<void> {
  const { manage, memory, log } = parts;
  return async (engine, left, signal) => {
    const { guest, mayBeSetUp } = memory.now();
    const [isPrepared, isSetUp] = [guest?.session === left.session, mayBeSetUp === left.vm];
    if (!manage || !(isPrepared || isSetUp)) return;
    await memory.learn({ ...(isPrepared && { guest: null }), ...(isSetUp && { mayBeSetUp: null }) });
    try {
      await leaveGuest(engine, { signal, timeout });
      log(`VM ${left.vm} is no longer followed: rules and image of ours are taken out of it`);
    } catch (error) {
      log(`VM ${left.vm} is no longer followed, and what was done in it stays: ${messageOf(error)}`);
    }
  };
}
