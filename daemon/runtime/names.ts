import { setTimeout as pause } from 'node:timers/promises';
import type { NamesVerdict } from '../core/names/names.js';
import type { NamesObservation, TakenResolver } from '../core/names/observation.js';
import type { Run } from '../lib/command.js';
import { resolverText } from '../lib/resolver-text.js';
import type { Zone } from '../core/names/zone.js';
import { type Seen, unknown } from '../core/observation.js';
import { type RemoveResolver, StepError, type WriteResolver } from '../core/steps.js';
import { throttle } from '../lib/throttle.js';
import { messageOf } from '../lib/text.js';
import { forgetNames } from '../mac/mdns-responder.js';
import { observeResolverFolder, removeResolver, writeResolver } from '../mac/resolver-file.js';
import { askTaken } from '../mac/taken-resolver.js';
import { keepNamesServer } from '../names/server.js';
import type { NamesData } from '../names/table.js';

/**
 * Milliseconds between two times that macOS is to forget, which costs every program its names: of several containers that
 * start one after the other the last one too is found within a second.
 */
const leastApart = 500;
/** Milliseconds for which it is believed that macOS asks our server, and in which it notices a new file. */
const validity = 60_000;
const noticed = 3000;

export interface NamesKeeper {
  readonly observe: () => Promise<NamesObservation>;
  /** Answers by this verdict from now on. */
  readonly follow: (verdict: NamesVerdict) => void;
  readonly write: (step: WriteResolver) => Promise<void>;
  readonly remove: (step: RemoveResolver) => Promise<void>;
  /** A person asks: the server is asked, or started, at once. */
  readonly lookAnew: () => void;
  /** Ends the server; first of all macOS is no longer sent to it. */
  readonly stop: () => Promise<void>;
}

/** Keeps the names of a zone: their server, and what this Mac knows of it. */
export function keepNames(parts: {
  zone: string;
  worker: string;
  /** Where a resolver file is made. */
  temporary: string;
  onChange: () => void;
  log: (message: string) => void;
  /** Asks `scutil --dns`. */
  dns: Run;
}): NamesKeeper {
  const { zone, worker, temporary, onChange, log, dns } = parts;
  let data: NamesData = { zone, isCurrent: false, names: [] };
  let last: Zone | null = null;
  let taken: {
    readonly port: number;
    readonly at: number;
    readonly answer: Seen<TakenResolver | null>;
  } | null = null;

  const forgetting = throttle(() => {
    forgetNames().then(
      (isThere) => {
        log(isThere ? 'macOS forgets the names that it has kept' : 'no mDNSResponder runs');
      },
      (error: unknown) => {
        log(`macOS keeps names that have changed: ${messageOf(error)}`);
      },
    );
  }, leastApart);
  const server = keepNamesServer({ worker, onChange, log, onStale: forgetting.call });

  /** Whether macOS asks at this port; where it does that is believed for a minute. */
  async function observeTaken(port: number): Promise<Seen<TakenResolver | null>> {
    const isBelieved =
      taken?.port === port &&
      taken.answer.known &&
      taken.answer.value !== null &&
      performance.now() - taken.at < validity;
    if (!taken || !isBelieved)
      taken = { port, at: performance.now(), answer: await askTaken(zone, port, dns) };
    return taken.answer;
  }

  return {
    observe: async () => {
      const state = server.state();
      const folder = await observeResolverFolder(zone);
      const isThere =
        state.state === 'serving' && folder.known && folder.value.ours[zone] === resolverText(state.port);
      return {
        server: state,
        folder,
        taken: isThere ? await observeTaken(state.port) : unknown('there is no resolver file'),
      };
    },
    follow: (verdict) => {
      if (verdict.state === 'off') {
        server.follow(null);
        data = { zone, isCurrent: false, names: [] };
        last = null;
        return;
      }
      // Of thousands of names the text alone takes a while.
      if (verdict.state === 'known' && verdict.zone === last) return;
      last = verdict.state === 'known' ? verdict.zone : null;
      data =
        verdict.state === 'unknown'
          ? { ...data, isCurrent: false }
          : {
              zone,
              isCurrent: true,
              names: verdict.zone.names.map(({ name, addresses }) => [name, addresses] as const),
            };
      server.follow(data);
    },
    write: async (step) => {
      try {
        await writeResolver(step.zone, step.text, temporary);
      } catch (error) {
        throw new StepError(messageOf(error), { condition: 'Names', reason: 'Failed', cause: error });
      }
      taken = null;
      const state = server.state();
      if (state.state !== 'serving') return;
      const end = performance.now() + noticed;
      while (performance.now() < end) {
        const answer = await observeTaken(state.port);
        if (answer.known && answer.value !== null) return;
        await pause(100);
      }
    },
    remove: async ({ zone: name, withFolder }) => {
      try {
        await removeResolver(name, { withFolder });
      } catch (error) {
        throw new StepError(messageOf(error), { condition: 'Names', reason: 'Failed', cause: error });
      }
      taken = null;
    },
    lookAnew: server.lookAnew,
    stop: async () => {
      forgetting.stop();
      try {
        await removeResolver(zone);
      } catch (error) {
        log(`/etc/resolver/${zone} is left behind: ${messageOf(error)}`);
      }
      server.stop();
    },
  };
}
