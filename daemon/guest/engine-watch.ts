import { z } from 'zod';
import { type DockerNetwork, type Engine, type Seen, seen, unknown, type Vm } from '../observation.js';
import { messageOf } from '../text.js';
import { connectEngine, type EngineClient } from './engine-client.js';
import { networksSchema, toNetworks } from './networks.js';

export interface EngineWatch {
  /** What the engine last said; unknown until it answers and again when its event stream ends. */
  readonly snapshot: () => Seen<Engine | null>;
  readonly client: () => EngineClient | null;
  readonly stop: () => void;
}

const filters = encodeURIComponent(JSON.stringify({ type: ['network', 'daemon', 'image'] }));
const relistAfter = 50;
const eventSchema = z.object({ Type: z.string(), Action: z.string() });
/** What brings an image that was not there. Our own tag and what a build does are none of it. */
const arrivals = ['pull', 'load', 'import'];

/**
 * Follows the engine of one VM for as long as it lives: dials until it answers, then listens to its events and lists
 * its networks after each. Nothing is polled while the stream lives. The stream's end means that the engine (or the
 * VM) went: the session is over and dialling starts again.
 */
export function watchEngine(options: {
  findSocket: () => Promise<Seen<string>>;
  vm: Vm;
  onChange: () => void;
  log: (message: string) => void;
}): EngineWatch {
  const { findSocket, vm, onChange, log } = options;
  const stopped = new AbortController();
  let snapshot: Seen<Engine | null> = unknown('Docker Engine has not answered yet');
  let client: EngineClient | null = null;
  let sessions = 0;

  const pause = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      stopped.signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  const isStopped = (): boolean => stopped.signal.aborted;

  async function session(): Promise<void> {
    const socket = await findSocket();
    if (!socket.known) throw new Error(socket.why);
    const engine = await connectEngine(socket.value, { timeout: 5000, signal: stopped.signal });
    const ended = new AbortController();
    const signal = AbortSignal.any([stopped.signal, ended.signal]);
    let id = `${vm.id}#${(sessions += 1)}`;
    let images = 0;
    const relist: { timer?: NodeJS.Timeout | undefined } = {};

    const list = async (): Promise<void> => {
      const networks: DockerNetwork[] = toNetworks(
        await engine.json('GET', '/networks', networksSchema, { signal }),
      );
      client = engine;
      snapshot = seen({ session: id, vm: vm.id, version: engine.version, networks, images });
      onChange();
    };
    const listLater = (): void => {
      relist.timer ??= setTimeout(() => {
        relist.timer = undefined;
        // A list that fails ends the session; what was known stays unknown until the next one.
        list().catch((error: unknown) => {
          log(`networks: ${messageOf(error)}`);
          ended.abort();
        });
      }, relistAfter);
    };
    try {
      await engine.stream(
        `/events?filters=${filters}`,
        (line) => {
          const { data: event } = eventSchema.safeParse(line);
          if (!event) return;
          if (event.Type === 'image') {
            if (!arrivals.includes(event.Action)) return;
            images += 1;
          }
          // A daemon that reloads its settings makes its rules anew: what was done in the VM is done again.
          if (event.Type === 'daemon') id = `${vm.id}#${(sessions += 1)}`;
          listLater();
        },
        { signal, timeout: 5000, onOpen: listLater },
      );
    } finally {
      clearTimeout(relist.timer);
      ended.abort();
    }
  }

  async function follow(): Promise<void> {
    for (let wait = 250; !isStopped(); wait = Math.min(2000, wait * 1.5)) {
      try {
        await session();
        wait = 250;
      } catch (error) {
        if (!isStopped()) log(`engine: ${messageOf(error)}`);
      }
      if (snapshot.known && !isStopped()) {
        snapshot = unknown('Docker Engine’s event stream ended');
        client = null;
        wait = 250;
        onChange();
      }
      await pause(wait);
    }
  }

  void follow();
  return {
    snapshot: () => snapshot,
    client: () => client,
    stop: () => {
      stopped.abort();
    },
  };
}
