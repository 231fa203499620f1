import type { Config } from '../config/schema.js';
import type { MemoryKeeper } from './memory.js';
import type { Observation } from './observation.js';
import { followRoutes, heldRoutes, nextDue, noHistory, type RouteHistory } from './route-yield.js';
import { stillOwned } from './routing-table.js';
import { attachedTap, isAddressed } from './tap-link.js';

export interface RouteKeeper {
  /** Brings the memory up to date with a look at the routing table; what could not be seen changes nothing. */
  readonly notice: (observation: Observation) => Promise<void>;
  /** A person wants the routes now, whoever keeps removing them. */
  readonly forget: () => Promise<void>;
  readonly stop: () => void;
}

/**
 * Remembers which routes are ours and which of them others keep removing. `onDue` is called when one may be added
 * again; `now` is in ms of a clock that only goes forward.
 */
export function keepRoutes(parts: {
  config: Config;
  memory: MemoryKeeper;
  now: () => number;
  onDue: () => void;
}): RouteKeeper {
  const { config, memory, now, onDue } = parts;
  let history: RouteHistory = noHistory;
  let timer: NodeJS.Timeout | undefined;
  return {
    notice: async (observation) => {
      const { routes } = observation;
      if (!routes.known) return;
      const attached = attachedTap(observation);
      const owned = memory.now().ownedRoutes;
      const time = now();
      history = followRoutes(history, {
        owned,
        table: routes.value,
        linkIsUp: attached !== null && isAddressed(config, attached.tap),
        now: time,
      });
      const standing = stillOwned(config, owned, routes.value);
      const change = { heldRoutes: heldRoutes(history, time) };
      await memory.change(standing.length === owned.length ? change : { ...change, ownedRoutes: standing });
      clearTimeout(timer);
      const due = nextDue(history, time);
      if (due !== null) timer = setTimeout(onDue, due - time);
    },
    forget: async () => {
      history = noHistory;
      clearTimeout(timer);
      await memory.change({ heldRoutes: [] });
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}
