import type { Dial, EngineClient } from '../guest/engine-client.js';
import type { Need } from '../guest/container-watch.js';
import { DialError, findEngine, findEngineAt } from '../guest/engine-socket.js';
import { type EngineWatch, watchEngine } from '../guest/engine-watch.js';
import {
  type ConsoleUser,
  type Container,
  type Engine,
  type Seen,
  seen,
  valueOf,
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

/** Rejects where the disk on which a place of a user's lies, or to which it leads, does not answer. */
type AnswersOf = (user: ConsoleUser, place: string) => Promise<unknown>;

/**
 * How the engine of a VM is dialled: not once its process has ended, even before a pass has seen that, since Docker's
 * proxy starts the VM again for a client that dials (Resource Saver).
 */
async function findWhileAlive(user: ConsoleUser, vm: Vm, answersOf: AnswersOf): Promise<Dial> {
  const whileAlive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!isAlive(vm.pid)) throw new DialError('the VM has ended', 'VmEnded');
    return work();
  };
  const { runtime } = vm;
  const answers = (place: string): Promise<unknown> => answersOf(user, place);
  const dial = await whileAlive(() =>
    runtime ? findEngineAt(runtime.socket, user, answers) : findEngine(user, answers),
  );
  return () => whileAlive(dial);
}

/** A VM whose engine is no longer followed, and the session in which it was. */
export interface Left {
  readonly vm: string;
  readonly session: string;
}

interface Followed {
  readonly vm: Vm;
  readonly user: string;
  readonly watch: EngineWatch;
}

/**
 * Whether both are reached by one socket, which leads to whichever is newer. Without a VM it is Docker Desktop's, whose
 * proxy would start one for whoever dials.
 */
const isSameSocket = (before: Followed, user: ConsoleUser | null, vm: Vm | null): boolean =>
  before.user === user?.name && before.vm.runtime?.socket === vm?.runtime?.socket;

/**
 * Follows one engine at a time: that of the console user's VM. `takeBack` undoes what was done in a VM that still runs when
 * its engine is left for another one, or for none; nothing waits for it but a return to that very VM, with which `signal`
 * aborts. It never rejects.
 */
export function linkEngine(options: {
  onChange: () => void;
  log: (message: string) => void;
  takeBack: (engine: EngineClient, left: Left, signal: AbortSignal) => Promise<void>;
  answers: AnswersOf;
}): EngineLink {
  const { takeBack, answers, ...rest } = options;
  let followed: Followed | null = null;
  let stopped = false;
  const leaving = new Map<string, { readonly giveUp: AbortController; readonly ended: Promise<void> }>();

  const leave = (): void => {
    followed?.watch.stop();
    followed = null;
  };

  /** Leaves the engine that is followed for that of another VM, or for none. */
  function turn(user: ConsoleUser | null, vm: Vm | null): void {
    const before = followed;
    const engine = before?.watch.client();
    const session = before && valueOf(before.watch.snapshot())?.session;
    leave();
    if (!before || !engine || session == null || !isAlive(before.vm.pid)) return;
    if (before.vm.id === vm?.id || isSameSocket(before, user, vm)) return;
    const { id } = before.vm;
    const giveUp = new AbortController();
    const ended = takeBack(engine, { vm: id, session }, giveUp.signal).finally(() => leaving.delete(id));
    leaving.set(id, { giveUp, ended });
  }

  /** The same VM may be come back to while it is still being left: its engine is dialled once that has ended. */
  async function find(user: ConsoleUser, vm: Vm): Promise<Dial> {
    await leaving.get(vm.id)?.ended;
    return findWhileAlive(user, vm, answers);
  }

  const last = (): Seen<Engine | null> => followed?.watch.snapshot() ?? seen(null);
  const client = (): EngineClient => {
    const found = followed?.watch.client();
    if (!found) throw new StepError('Docker Engine is gone', { condition: 'Guest', reason: 'NoEngine' });
    return found;
  };
  return {
    follow: (user, vm) => {
      if (stopped) return last();
      if (!user || !vm) turn(user, null);
      else if (followed?.vm.id !== vm.id || !isSameSocket(followed, user, vm)) {
        turn(user, vm);
        leaving.get(vm.id)?.giveUp.abort(new Error('its VM is followed again'));
        followed = { vm, user: user.name, watch: watchEngine({ find: () => find(user, vm), vm, ...rest }) };
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
      for (const { giveUp } of leaving.values()) giveUp.abort(new Error('nobody is followed any more'));
    },
  };
}
