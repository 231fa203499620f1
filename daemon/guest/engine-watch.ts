import * as z from 'zod';
import {
  type Container,
  type DockerNetwork,
  type Engine,
  type Seen,
  seen,
  unknown,
  type Vm,
} from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';
import { connectEngine, type Dial, type EngineClient } from './engine-client.js';
import { DialError } from './engine-socket.js';
import { label } from './agent-container.js';
import { type Need, watchContainers } from './container-watch.js';
import { listContainers, rememberAliases } from './containers.js';
import { listNetworks, refreshNetworks } from './networks.js';

export interface EngineWatch {
  /** What the engine last said; unknown until it answers and again when its event stream ends. */
  readonly snapshot: () => Seen<Engine | null>;
  readonly client: () => EngineClient | null;
  /** What is kept up to date of the running containers from now on, by a request after whatever happens to them. */
  readonly keepContainers: (need: Need) => void;
  /** The running containers as they are now; without a request where those known are. Rejects when nobody tells. */
  readonly containers: () => Promise<readonly Container[]>;
  /**
   * Opens the stream of events anew, or dials, at once; what is known stays meanwhile. Docker Desktop's proxy has been
   * seen to keep a stream open that the engine had ended (docker/for-mac#7427): nothing tells that it is deaf.
   */
  readonly startOver: () => void;
  readonly stop: () => void;
}

/**
 * A container joins its networks before it starts and may be listed as running after it left them: its addresses are
 * right from these two on (moby, daemon/start.go and daemon/monitor.go).
 */
const lives = ['start', 'die'];
/** Its name is another one, and nothing else. */
const renamed = 'rename';
const comings = ['connect', 'disconnect'];
const networkChanges = [...comings, 'create', 'update', 'remove', 'destroy', 'prune'];
/** The engine looks for both: containers that are looked into or checked for their health are not told of. */
const filters = encodeURIComponent(
  JSON.stringify({
    type: ['network', 'daemon', 'container'],
    event: [...networkChanges, ...lives, renamed, 'reload'],
  }),
);
const eventSchema = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z
    .object({ ID: z.string().max(200).nullish(), Attributes: z.record(z.string(), z.unknown()).nullish() })
    .nullish(),
});
type Event = z.infer<typeof eventSchema>;
/** Containers come and go on these two without any change of a subnet or an address; our helper is one of them. */
const withoutAddresses = ['host', 'null'];

/** Those with which a network ends; a swarm's says `remove`. */
const endings = ['destroy', 'remove'];

/** Milliseconds in which the events of one command become one answer. */
const gather = 10;
/** When something happened to more networks than this, all of them are asked for in one request. */
const maxAsked = 10;
/** Milliseconds until a list that lacks a network whose end nobody told of is asked for again. */
const secondLook = 3000;
/**
 * After a stream's end: a VM that goes is gone by then, also on a busy Mac, and nobody has knocked at Docker's proxy,
 * which might start it again. An engine that is only restarted takes as long itself.
 */
const gracePeriod = 5000;
/** An engine that is starting answers soon; one that has not for a minute is asked ever more rarely. */
const firstWait = 100;
const longestWait = 30_000;
const starting = 60_000;

const isQuiet = ({ Type, Action, Actor }: Event): boolean =>
  (Type === 'container' && (![...lives, renamed].includes(Action) || label in (Actor?.Attributes ?? {}))) ||
  (Type === 'network' &&
    comings.includes(Action) &&
    withoutAddresses.includes(String(Actor?.Attributes?.['type'])));

interface Absences {
  /** An event told that this network ended: its absence is true. */
  readonly ended: (id: string) => void;
  /** What was listed after what; `before` is null for a session's first list. Returns whether to look again later. */
  readonly compare: (
    before: readonly DockerNetwork[] | null,
    after: readonly DockerNetwork[],
    isSecondLook: boolean,
  ) => boolean;
  /** Whether something that is not listed may be there. */
  readonly areDoubtful: () => boolean;
}

/**
 * Which absences of networks are evidence: an event told of its end, or a second look some seconds later lacked it too. A
 * session's first list is none, since nobody knows what there was before.
 */
function doubtAbsences(): Absences {
  const ended = new Set<string>();
  const missed = new Set<string>();
  let isFirst = true;
  return {
    ended: (id) => {
      ended.add(id);
      missed.delete(id);
    },
    compare: (before, after, isSecondLook) => {
      const ids = new Set(after.map(({ id }) => id));
      const lost = (before ?? []).filter(({ id }) => !ids.has(id) && !ended.has(id));
      if (isSecondLook) {
        missed.clear();
        isFirst = false;
      }
      for (const { id } of lost) missed.add(id);
      for (const id of missed) if (ids.has(id)) missed.delete(id);
      for (const id of ended) if (!ids.has(id)) ended.delete(id);
      return before === null || lost.length > 0;
    },
    areDoubtful: () => isFirst || missed.size > 0,
  };
}

/**
 * Follows the engine of one VM for as long as it lives: dials until it answers, then listens to its events and asks
 * for the networks that they are about. Nothing is polled while the stream lives. The stream's end means that the
 * engine (or the VM) went: the session is over and dialling starts again.
 */
export function watchEngine(options: {
  /** How the engine is dialled now; throws DialError while it cannot be. */
  find: () => Promise<Dial>;
  vm: Vm;
  onChange: () => void;
  log: (message: string) => void;
}): EngineWatch {
  const { find, vm, onChange, log } = options;
  const stopped = new AbortController();
  let snapshot: Seen<Omit<Engine, 'containers'>> = unknown('Docker Engine has not answered yet');
  let client: EngineClient | null = null;
  const withAliases = rememberAliases();
  const containers = watchContainers({
    list: async (need, signal) => {
      if (!client) throw new Error('Docker Engine has not answered yet');
      const asked = client;
      const found = await listContainers(asked, { signal });
      return need === 'aliases' ? withAliases(asked, found, signal) : found;
    },
    onChange: () => {
      if (snapshot.known && !isStopped()) onChange();
    },
  });
  let sessions = 0;
  let id = '';
  let listed = 0;
  let endSession = (): void => undefined;
  let endPause = (): void => undefined;
  let isStartingOver = false;

  /** Ends early when the watch does; `endPause` ends one that is not `firm`. */
  const pause = (milliseconds: number, firm = false): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stopped.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      stopped.signal.addEventListener('abort', end);
      endPause = firm ? () => undefined : end;
    });
  const isStopped = (): boolean => stopped.signal.aborted;
  const beginSession = (): void => {
    id = `${vm.id}#${(sessions += 1)}`;
  };

  async function session(): Promise<void> {
    const isSame = isStartingOver && snapshot.known;
    isStartingOver = false;
    const engine = await connectEngine(await find(), { timeout: 10_000, signal: stopped.signal });
    if (!isSame) beginSession();
    const ended = new AbortController();
    endSession = () => {
      ended.abort();
    };
    const signal = AbortSignal.any([stopped.signal, ended.signal]);
    let networks: readonly DockerNetwork[] | null = null;
    const absences = doubtAbsences();
    let secondLookDue: NodeJS.Timeout | undefined;
    let isSecondLook = false;
    /** Whether an event has told of anything since the last question. */
    let isTold = false;
    let asking = false;
    /** Why the session was ended from within. */
    let failure: unknown;
    /** Whether there is something to tell; first some networks, by their ids, or all of them have to be asked for. */
    let changed = false;
    const stale = new Set<string>();
    let allStale = false;

    /** One question at a time, so that an older answer never overtakes a newer one. */
    const ask = async (): Promise<void> => {
      if (asking) return;
      asking = true;
      try {
        while (changed && !signal.aborted) {
          changed = false;
          const ids = [...stale];
          const whole = allStale || ids.length > maxAsked;
          const confirms = isSecondLook;
          const wasTold = isTold;
          stale.clear();
          allStale = false;
          isSecondLook = false;
          isTold = false;
          const before: readonly DockerNetwork[] | null = networks;
          networks =
            whole || before === null
              ? await listNetworks(engine, { signal })
              : await refreshNetworks(engine, before, ids, { signal });
          if (absences.compare(before, networks, confirms)) lookAgain();
          // A second look that finds the same tells of no other containers.
          const isOther = JSON.stringify(networks) !== JSON.stringify(before);
          if (!confirms || wasTold || isOther) listed += 1;
          client = engine;
          // An engine that told an old list of the one may have told one of the others.
          if (before === null || (confirms && isOther)) containers.changed('now');
          snapshot = seen({
            session: id,
            vm: vm.id,
            version: engine.version,
            networks,
            listed,
            ...(absences.areDoubtful() ? { isProvisional: true } : {}),
          });
          onChange();
          await pause(gather);
        }
      } catch (error) {
        // What was known stays unknown until the next session.
        if (!signal.aborted) failure = error;
        ended.abort();
      } finally {
        asking = false;
      }
    };
    const lookAgain = (): void => {
      clearTimeout(secondLookDue);
      if (signal.aborted) return;
      secondLookDue = setTimeout(() => {
        isSecondLook = true;
        allStale = true;
        changed = true;
        void ask();
      }, secondLook);
    };
    try {
      await engine.stream(
        `/events?filters=${filters}`,
        (line) => {
          const { data: event } = eventSchema.safeParse(line);
          if (!event || isQuiet(event)) return;
          if (event.Type === 'container') containers.changed(event.Action === 'die' ? 'ending' : 'now');
          else if (comings.includes(event.Action)) containers.changed('joining');
          if (event.Action === renamed) return;
          const network = event.Type === 'network' ? event.Actor?.ID : undefined;
          // With an overlay's first container comes docker_gwbridge, of which no event tells.
          const isOverlay = event.Actor?.Attributes?.['type'] === 'overlay';
          if (network && endings.includes(event.Action)) absences.ended(network);
          // A daemon that reloads its settings makes its rules anew: what was done in the VM is done again.
          if (event.Type === 'daemon') beginSession();
          if (network && !isOverlay && stale.size <= maxAsked) stale.add(network);
          else if (['network', 'daemon'].includes(event.Type)) allStale = true;
          isTold = true;
          changed = true;
          void ask();
        },
        {
          signal,
          timeout: 10_000,
          // Only from here on is anything told that a list does not have.
          onOpen: () => {
            isStartingOver = false;
            allStale = true;
            changed = true;
            void ask();
          },
        },
      );
    } catch (error) {
      throw failure ?? error;
    } finally {
      clearTimeout(secondLookDue);
      ended.abort();
    }
  }

  /** What is told of an engine that does not answer, once it has had its time to start. */
  function tell(error: unknown, silent: number): void {
    const { reason, message: why } =
      error instanceof DialError ? error : new DialError(plain(messageOf(error)), 'EngineSilent');
    const said = `Docker Engine has not answered yet: ${why}`;
    // A foreign socket does not become ours by waiting.
    const lasting = silent > starting || reason === 'SocketForeign';
    if (snapshot.known || (snapshot.why === said && (snapshot.reason !== undefined) === lasting)) return;
    snapshot = unknown(said, lasting ? reason : undefined);
    if (lasting) onChange();
  }

  async function follow(): Promise<void> {
    let since = performance.now();
    let wait = firstWait;
    while (!isStopped()) {
      let failure: unknown = new Error('the event stream ended');
      try {
        await session();
      } catch (error) {
        failure = error;
      }
      if (isStopped()) return;
      log(`engine: ${messageOf(failure)}`);
      if (isStartingOver && snapshot.known) continue;
      if (snapshot.known) {
        const ended = 'Docker Engine’s event stream ended';
        snapshot = unknown(ended);
        client = null;
        containers.forget(ended);
        onChange();
        await pause(gracePeriod, true);
        since = performance.now();
        wait = firstWait;
        continue;
      }
      const silent = performance.now() - since;
      tell(failure, silent);
      await pause(wait);
      if (isStartingOver) wait = firstWait;
      else if (silent > starting) wait = Math.min(longestWait, wait * 1.5);
    }
  }

  void follow();
  return {
    snapshot: () =>
      snapshot.known ? seen({ ...snapshot.value, containers: containers.snapshot() }) : snapshot,
    client: () => client,
    keepContainers: containers.keep,
    containers: containers.current,
    startOver: () => {
      isStartingOver = true;
      endSession();
      endPause();
    },
    stop: () => {
      stopped.abort();
      containers.forget('nobody follows this engine any more');
    },
  };
}
