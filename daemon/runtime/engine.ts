import type { Dial, EngineClient } from '../guest/engine-client.js';
import type { Need } from '../guest/container-watch.js';
import { DialError, findEngine } from '../guest/engine-socket.js';
import { type EngineWatch, watchEngine } from '../guest/engine-watch.js';
import {
  type ConsoleUser,
  type Container,
  type Engine,
  type Seen,
  seen,
  type Vm,
} from '../core/observation.js';
import { StepError } from '../core/steps.js';
import { isAlive } from '../vm/alive.js';

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
  /** What is kept up to date of the containers of the engine that is followed: it costs requests. */
  readonly keepContainers: (need: Need) => void;
  /** The running containers as they are now; without a request where those known are. Rejects when nobody tells. */
  readonly containers: () => Promise<readonly Container[]>;
  /**
   * Leaves the engine that is followed and comes back at once, for whatever went unheard; what it last said stays
   * meanwhile.
   */
  readonly startOver: () => void;
  /** For good: a pass that still runs follows nobody any more. */
  readonly stop: () => void;
}

/**
 * How the engine of a VM is dialled. Docker's proxy starts the VM again for whoever knocks (Resource Saver), so nobody
 * does once its process has ended, also before a pass has seen that.
 */
async function findWhileAlive(user: ConsoleUser, vm: Vm): Promise<Dial> {
  const whileAlive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!isAlive(vm.pid)) throw new DialError('the VM has ended', 'VmEnded');
    return work();
  };
  const dial = await whileAlive(() => findEngine(user));
  return () => whileAlive(dial);
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
        const watch = watchEngine({ find: () => findWhileAlive(user, vm), vm, ...options });
        followed = { vm: vm.id, user: user.name, watch };
      }
      return last();
    },
    last,
    client,
    keepContainers: (need) => {
      followed?.watch.keepContainers(need);
    },
    containers: async () => {
      client();
      return followed?.watch.containers() ?? [];
    },
    startOver: () => {
      followed?.watch.startOver();
    },
    stop: () => {
      stopped = true;
      leave();
    },
  };
}
