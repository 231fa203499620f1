import type { ConditionType } from '../api/reasons/record.js';
import { causeOf } from '../api/reasons/consequences.js';
import { version } from '../../config/version.js';
import type { Failure } from '../core/condition.js';
import { actionTimeout, type Outcome, type Status } from '../api/messages.js';
import type { ControlHandlers } from '../control/server.js';
import type { Follow } from '../control/stream.js';
import type { MemoryKeeper } from './memory.js';
import type { BundleRoom } from '../docker-app/bundles.js';
import type { Contexts } from '../guest/contexts.js';
import type { EngineLink } from './engine.js';
import type { Configuration } from '../core/observation.js';
import type { Memory } from '../core/memory.js';
import type { NamesKeeper } from './names.js';
import type { Reconciler } from './reconciler.js';
import type { RouteKeeper } from './route-keeper.js';

/** Milliseconds in which what a person asked for may come to be, when no step fails and yet it is not there. */
const settleTimeout = 10_000;

/** Milliseconds in which a restart takes the link down; then it comes up again all the same. */
const lowering = 30_000;
const longest = actionTimeout - 10_000;

/**
 * What the link itself does not depend on: it is up although a route is somebody else’s, one container is silent, or
 * the configuration file is wrong while the one before it is in force.
 */
const beyondTheLink: readonly string[] = ['Configuration', 'Routes', 'DataPath'] satisfies ConditionType[];

interface Trouble {
  readonly problems: readonly string[];
  /** Whether what was asked for is done all the same. */
  readonly done: boolean;
  /** Milliseconds after which it is told, from the moment of asking. */
  readonly tolerated: number;
}

/** Why the link is not up as it should be, or not yet, though no step failed; null when it is. */
function whyNotUp({ phase, conditions }: Status): Trouble | null {
  if (phase !== 'blocked' && phase !== 'degraded' && phase !== 'working') return null;
  const ready = conditions.find(({ type }) => type === 'Ready');
  const cause = causeOf(conditions);
  const isBeyond = cause !== null && beyondTheLink.includes(cause.type);
  const isFinal = phase === 'blocked' || (isBeyond && phase === 'degraded');
  return {
    problems: ready ? [ready.message] : [],
    done: isBeyond || phase === 'working',
    tolerated: isFinal ? 0 : settleTimeout,
  };
}

/** What a person can ask over the control socket: each says what is wanted from now on and waits for the loop. */
export function createHandlers(parts: {
  memory: Pick<MemoryKeeper, 'now' | 'wish' | 'record' | 'learn'>;
  configuration: () => Configuration;
  routes: Pick<RouteKeeper, 'forget'>;
  engine: Pick<EngineLink, 'startOver'>;
  bundles: Pick<BundleRoom, 'lookAnew'>;
  contexts: Pick<Contexts, 'lookAnew'>;
  names: Pick<NamesKeeper, 'lookAnew'>;
  reconciler: Pick<Reconciler, 'trigger' | 'settled'>;
  status: () => Status | null;
  follow: Follow;
  metrics: () => string;
  failures: () => readonly Failure[];
  pause: (milliseconds: number) => Promise<unknown>;
}): ControlHandlers {
  const {
    memory,
    configuration,
    routes,
    engine,
    bundles,
    contexts,
    names,
    reconciler,
    status,
    follow,
    metrics,
    failures,
    pause,
  } = parts;
  const why = 'a person asked';

  /** What stands in the way of what is wanted after one more look; null when nothing does. */
  async function trouble(wanted: Memory['wanted'], isUp: boolean): Promise<Trouble | null> {
    const how = await reconciler.settled(why);
    if (how === 'stopped')
      return { problems: ['tuntapd is ending or starting anew: ask again'], done: false, tolerated: 0 };
    if (memory.now().wanted !== wanted)
      return { problems: ['something else was asked for meanwhile'], done: false, tolerated: 0 };
    if (how === 'failed')
      return {
        problems: ['this Mac could not be looked at: `tuntapctl logs` says why'],
        done: false,
        tolerated: longest,
      };
    // Whoever asks for the link waits for IPv4: what IPv6 lacks is a condition of its own.
    const failed = failures().filter(({ condition }) => !isUp || condition !== 'Ipv6');
    if (failed.length > 0)
      return {
        problems: failed.map(({ message }) => message),
        // Only hyperkit matters for whether the daemon may be removed; the rest goes with the VM.
        done: wanted === 'removed' && !failed.some(({ step }) => step.kind === 'restore-hyperkit'),
        tolerated: failed.every(({ blocked }) => blocked) ? 0 : longest,
      };
    const now = status();
    return isUp && now ? whyNotUp(now) : null;
  }

  /** Has the loop at work until what is wanted is done, or for `most` ms; then it is told why it is not. */
  async function carryOut(
    wanted: Memory['wanted'],
    isUp: boolean,
    most: number,
    abandoned?: AbortSignal,
  ): Promise<Outcome> {
    const began = performance.now();
    // Pauses are forgotten once: from here on whatever fails is tried ever more rarely, as always.
    reconciler.trigger(why, { retry: 'asked' });
    const left = new Promise<'left'>((resolve) => {
      abandoned?.addEventListener(
        'abort',
        () => {
          resolve('left');
        },
        { once: true },
      );
    });
    for (;;) {
      const found = abandoned?.aborted === true ? 'left' : await Promise.race([trouble(wanted, isUp), left]);
      if (found === 'left') return { done: false, problems: ['nobody waits for it any more'] };
      if (!found) return { done: true, problems: [] };
      const { problems, done, tolerated } = found;
      if (performance.now() - began >= Math.min(tolerated, most)) return { done, problems };
      await pause(1000);
    }
  }

  async function ask(wanted: Memory['wanted'], abandoned?: AbortSignal, most = longest): Promise<Outcome> {
    const { problem, inForce } = configuration();
    if (!inForce && wanted !== 'removed')
      return { done: false, problems: [`${problem ?? ''}; nothing is done until that is fixed`] };
    // A person who asks for the link wants the VM checked too: nothing reports a rule that was flushed by hand.
    // So is a restart of Docker that did not help before.
    const { restart } = memory.now();
    const anew = { ...restart, attempts: [], told: null, asked: restart.asked + 1 };
    await Promise.all([
      memory.wish({ wanted }),
      ...(wanted === 'up'
        ? [
            memory.learn({ guest: null, nics: null, ipv6: { ...memory.now().ipv6, guest: null } }),
            memory.record({ restart: anew }),
          ]
        : []),
    ]);
    bundles.lookAnew();
    if (wanted === 'up') {
      contexts.lookAnew();
      names.lookAnew();
      await routes.forget();
      engine.startOver();
    }
    return carryOut(wanted, wanted === 'up', most, abandoned);
  }

  return {
    version: () => ({ version, pid: process.pid }),
    status,
    follow,
    metrics,
    up: (abandoned) => ask('up', abandoned),
    down: (abandoned) => ask(memory.now().wanted === 'restored' ? 'restored' : 'down', abandoned),
    // Nobody who hangs up leaves a link that is down.
    restart: async (abandoned) => {
      const before = memory.now().wanted;
      await memory.wish({ lowered: true });
      const lowered = await carryOut(before, false, lowering);
      await memory.wish({ lowered: false });
      // The last wish wins.
      if (memory.now().wanted !== before) return lowered;
      const raised = await ask('up', abandoned, longest - lowering);
      const problems = [...new Set([...lowered.problems, ...raised.problems])];
      return { done: lowered.done && raised.done, problems };
    },
    leave: (abandoned) => ask('removed', abandoned),
    restore: (abandoned) => ask('restored', abandoned),
  };
}
