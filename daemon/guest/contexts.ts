import { run } from '../lib/command.js';
import { messageOf, plain } from '../lib/text.js';
import { type ConsoleUser, type DockerContext, type Seen, seen, unknown } from '../core/observation.js';
import { answerSchema, contextFile, type ContextRequest } from './context-protocol.js';

/** Milliseconds for the child. */
const timeout = 5000;
/** Milliseconds between one reading and the next, whatever happens. */
const rest = 5000;
/** The same after one that failed: a child on a disk that does not answer may not end. */
const longRest = 60_000;

/** Has the child program at `worker` read a context; what it says, which is untrusted. Rejects when it says nothing sensible. */
export const contextsBy =
  (worker: string) =>
  async (request: ContextRequest): Promise<unknown> => {
    const { stdout } = await run(process.execPath, [worker], {
      input: JSON.stringify(request),
      timeout,
      maxOutput: 65_536,
    });
    return JSON.parse(stdout) as unknown;
  };

export interface Contexts {
  /** The user's context of this name, or the current one (null); what was read last, while nothing tells of a change. */
  readonly read: (user: ConsoleUser, name: string | null, vms: string) => Promise<Seen<DockerContext | null>>;
  /** What is written anew when a user chooses another context, of whoever's was read; none before. */
  readonly files: () => readonly string[];
  /** The next `read` reads it anew. */
  readonly lookAnew: () => void;
  readonly stop: () => void;
}

/**
 * Reads contexts by way of `ask`, each time that user, name or `vms` (whatever tells one set of VMs from another) are
 * others, or something has changed; never twice within five seconds, nor within a minute where it failed: `onDue` is
 * called when it can be.
 */
export function createContexts(parts: {
  ask: (request: ContextRequest) => Promise<unknown>;
  onDue: () => void;
  now: () => number;
  setTimer: (callback: () => void, milliseconds: number) => () => void;
}): Contexts {
  const { ask, onDue, now, setTimer } = parts;
  let last: { whose: string; vms: string; context: Seen<DockerContext | null> } | null = null;
  let isDue = true;
  let notBefore = -Infinity;
  let cancel: (() => void) | null = null;
  let home: string | null = null;

  async function askAnew(
    { uid, gid, home }: ConsoleUser,
    name: string | null,
  ): Promise<Seen<DockerContext | null>> {
    try {
      const answer = answerSchema.parse(await ask({ uid, gid, home, name }));
      if (answer.ok) return seen(answer.context);
      return unknown(`docker’s context cannot be read: ${plain(answer.message)}`);
    } catch (error) {
      return unknown(`docker’s context cannot be read: ${plain(messageOf(error))}`);
    }
  }

  function later(): void {
    isDue = true;
    cancel ??= setTimer(
      () => {
        cancel = null;
        onDue();
      },
      Math.max(0, notBefore - now()),
    );
  }

  return {
    read: async (user, name, vms) => {
      home = user.home;
      const whose = JSON.stringify([user.uid, user.home, name]);
      const known = last?.whose === whose ? last.context : unknown('docker’s context has not been read yet');
      if (!isDue && last?.whose === whose && last.vms === vms) return known;
      if (now() < notBefore) {
        later();
        return known;
      }
      isDue = false;
      // Until it is through nobody else reads.
      notBefore = Infinity;
      const found = await askAnew(user, name);
      notBefore = now() + (found.known ? rest : longRest);
      if (!found.known) later();
      // One that cannot be read is what it was.
      const context = found.known || !known.known ? found : known;
      last = { whose, vms, context };
      return context;
    },
    files: () => (home === null ? [] : [contextFile(home)]),
    lookAnew: () => {
      isDue = true;
    },
    stop: () => {
      cancel?.();
      cancel = null;
    },
  };
}
