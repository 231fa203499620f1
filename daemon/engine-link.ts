import type { EngineClient } from './guest/engine-client.js';
import { findEngine } from './guest/engine-socket.js';
import { listContainers } from './guest/networks.js';
import { type EngineWatch, watchEngine } from './guest/engine-watch.js';
import { type ConsoleUser, type Engine, type Seen, seen, type Vm } from './observation.js';
import { StepError } from './steps.js';

export interface EngineLink {
  /**
   * What the engine of this VM last said. It is dialled only while a VM is seen: asking it would wake Docker's
   * Resource Saver.
   */
  readonly follow: (user: ConsoleUser | null, vm: Vm | null) => Seen<Engine | null>;
  /** What was last said, whichever VM is there. */
  readonly last: () => Seen<Engine | null>;
  /** Throws StepError when no engine answers. */
  readonly client: () => EngineClient;
  /** Addresses of the running containers, one request. */
  readonly containers: () => Promise<readonly string[]>;
  /** Asks the engine that is followed for everything once more. */
  readonly lookAnew: () => void;
  /** For good: a pass that still runs follows nobody any more. */
  readonly stop: () => void;
}

/** Follows one engine at a time: that of the console user's VM. */
export function linkEngine(options: { onChange: () => void; log: (message: string) => void }): EngineLink {
  let followed: { vm: string; user: string; watch: EngineWatch } | null = null;
  let stopped = false;
  const leave = (): void => {
    followed?.watch.stop();
    followed = null;
  };
  const last = (): Seen<Engine | null> => followed?.watch.snapshot() ?? seen(null);
  const client = (): EngineClient => {
    const found = followed?.watch.client();
    if (!found) throw new StepError('Docker Engine is gone', { reason: 'NoEngine' });
    return found;
  };
  return {
    follow: (user, vm) => {
      if (stopped) return last();
      if (!user || !vm) leave();
      else if (followed?.vm !== vm.id || followed.user !== user.name) {
        leave();
        const watch = watchEngine({ find: () => findEngine(user), vm, ...options });
        followed = { vm: vm.id, user: user.name, watch };
      }
      return last();
    },
    last,
    client,
    containers: () => listContainers(client()),
    lookAnew: () => {
      followed?.watch.lookAnew();
    },
    stop: () => {
      stopped = true;
      leave();
    },
  };
}
