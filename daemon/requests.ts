import { setTimeout as pause } from 'node:timers/promises';
import { version } from '../config/version.js';
import type { Failure } from './conditions.js';
import { actionTimeout, type Outcome, type Status } from './control/messages.js';
import type { ControlHandlers } from './control/server.js';
import type { MemoryKeeper } from './memory.js';
import type { Memory } from './plan.js';
import type { Reconciler } from './reconciler.js';
import type { RouteKeeper } from './route-keeper.js';

/** What a person can ask over the control socket: each says what is wanted from now on and waits for the loop. */
export function createHandlers(parts: {
  memory: MemoryKeeper;
  routes: RouteKeeper;
  reconciler: Reconciler;
  status: () => Status | null;
  failures: () => readonly Failure[];
}): ControlHandlers {
  const { memory, routes, reconciler, status, failures } = parts;
  const settle = async (wanted: Memory['wanted']): Promise<Outcome> => {
    // Whoever asks for the link wants the VM looked at too: a rule flushed by hand tells nobody.
    // So is a restart of Docker that did not help before.
    const { restart } = memory.now();
    const anew = { guest: null, restart: { ...restart, attempts: [], told: null, asked: restart.asked + 1 } };
    await memory.change({ wanted, ...(wanted === 'up' ? anew : {}) });
    if (wanted === 'up') await routes.forget();
    const end = performance.now() + actionTimeout - 10_000;
    for (;;) {
      reconciler.trigger('a person asked', { retry: 'asked' });
      await reconciler.settled('a person asked');
      const problems = failures().map(({ message }) => message);
      if (problems.length === 0) return { done: true, problems };
      if (failures().every(({ blocked }) => blocked) || performance.now() > end)
        return { done: false, problems };
      await pause(1000);
    }
  };
  return {
    version: () => ({ version, pid: process.pid }),
    status,
    up: () => settle('up'),
    down: () => settle(memory.now().wanted === 'restored' ? 'restored' : 'down'),
    restart: async () => {
      const lowered = await settle('down');
      return lowered.done ? settle('up') : lowered;
    },
    leave: async () => {
      const { problems } = await settle('removed');
      // Only hyperkit matters for whether the daemon may be removed; the rest goes with the VM.
      const done = !failures().some(({ step }) => step.kind === 'restore-hyperkit');
      return { done, problems };
    },
    restore: () => settle('restored'),
  };
}
