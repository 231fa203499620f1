import { CommandError, run } from '../lib/command.js';
import { messageOf, plain } from '../lib/text.js';
import { type ConsoleUser, type DockerContext, type Seen, seen, unknown } from '../core/observation.js';
import {
  answerSchema,
  contextFile,
  type ContextRequest,
  metaFile,
  type SettingsRequest,
} from './context-protocol.js';

/** Milliseconds for the child. */
const timeout = 5000;
/** Milliseconds between one reading and the next, whatever happens. */
const rest = 5000;
/** The same after one that failed. */
const longRest = 60_000;
/** How often one that is not there yet is looked for again by itself: after 5 s, 10 s, … 160 s, in which a VM starts. */
const maxTries = 6;
/** Milliseconds for which whoever reads waits; a child on a disk that does not answer takes longer, or never ends. */
const patience = 1000;

/**
 * Has the child program at `worker` read a context, or a setting; what it says, which is untrusted. Rejects when it says
 * nothing sensible, and not before the child has ended.
 */
export const contextsBy =
  (worker: string) =>
  async (request: ContextRequest | SettingsRequest): Promise<unknown> => {
    const { stdout } = await run(process.execPath, [worker], {
      input: JSON.stringify(request),
      timeout,
      maxOutput: 65_536,
    }).catch(async (error: unknown) => {
      // On a disk that does not answer no signal ends it, and each one more would stay as well.
      if (error instanceof CommandError) await error.ended;
      throw error;
    });
    return JSON.parse(stdout) as unknown;
  };

export interface Contexts {
  /** The user's context of this name, or the current one (null); what was read last, while nothing tells of a change. */
  readonly read: (user: ConsoleUser, name: string | null, vms: string) => Promise<Seen<DockerContext | null>>;
  /** What is written anew when a user chooses or changes a context, of whoever's was read; none before. */
  readonly files: () => readonly string[];
  /** The next `read` reads it anew. */
  readonly lookAnew: () => void;
  readonly stop: () => void;
}

/**
 * Reads contexts by way of `ask`, each time that user, name or `vms` (whatever tells one set of VMs from another) are
 * others, or something has changed; never twice within five seconds, nor within a minute where it failed: `onDue` is
 * called when it can be. One that is not there, or whose socket is not, is looked for a few times more. Who reads waits
 * for a second at the most; `onDue` is called when the answer comes later, and until then nothing more is asked for that user.
 */
export function createContexts(parts: {
  ask: (request: ContextRequest) => Promise<unknown>;
  onDue: () => void;
  now: () => number;
  setTimer: (callback: () => void, milliseconds: number) => () => void;
}): Contexts {
  const { ask, onDue, now, setTimer } = parts;
  let wanted: { whose: string; home: string; name: string | null; vms: string } | null = null;
  let last: { whose: string; context: Seen<DockerContext | null> } | null = null;
  /** The users whose answer is still to come. */
  const asking = new Set<number>();
  let isDue = true;
  let notBefore = -Infinity;
  let tries = 0;
  let timer: { at: number; cancel: () => void } | null = null;
  let stopped = false;

  async function answerTo(
    request: ContextRequest,
  ): Promise<{ context: Seen<DockerContext | null>; isLasting: boolean }> {
    try {
      const answer = answerSchema.parse(await ask(request));
      if (!answer.ok) throw new Error(answer.message);
      return { context: seen(answer.context), isLasting: answer.context !== null && !answer.unmade };
    } catch (error) {
      return {
        context: unknown(`docker’s context cannot be read: ${plain(messageOf(error))}`),
        isLasting: true,
      };
    }
  }

  const hasChanged = (): boolean => isDue;

  function dueAt(at: number): void {
    if (stopped || (timer !== null && timer.at <= at)) return;
    timer?.cancel();
    const cancel = setTimer(
      () => {
        timer = null;
        isDue = true;
        onDue();
      },
      Math.max(0, at - now()),
    );
    timer = { at, cancel };
  }

  async function askAnew(request: ContextRequest, whose: string): Promise<void> {
    isDue = false;
    notBefore = now() + rest;
    asking.add(request.uid);
    const { context, isLasting } = await answerTo(request);
    asking.delete(request.uid);
    // Somebody else may be in front by now.
    if (wanted?.whose !== whose) return;
    notBefore = now() + (context.known ? rest : longRest);
    // One that cannot be read is what it was.
    if (context.known || last?.whose !== whose || !last.context.known) last = { whose, context };
    if (!context.known || hasChanged()) dueAt(notBefore);
    else if (!isLasting && tries < maxTries) {
      dueAt(now() + rest * 2 ** tries);
      tries += 1;
    }
  }

  /** Waits for it, for a second. */
  async function briefly(work: Promise<void>): Promise<void> {
    let isLate = false;
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = setTimer(() => {
        isLate = true;
        resolve();
      }, patience);
    });
    const through = work.then(() => {
      cancel();
      if (isLate && !stopped) onDue();
    });
    await Promise.race([through, late]);
  }

  return {
    read: async ({ uid, gid, home }, name, vms) => {
      const whose = JSON.stringify([uid, home, name]);
      if (wanted?.whose !== whose || wanted.vms !== vms) [isDue, tries] = [true, 0];
      wanted = { whose, home, name, vms };
      if (isDue && !asking.has(uid)) {
        if (now() < notBefore) dueAt(notBefore);
        else await briefly(askAnew({ uid, gid, home, name }, whose));
      }
      if (last?.whose === whose) return last.context;
      return unknown(
        asking.has(uid)
          ? 'docker’s context cannot be read: whoever reads it has not answered yet'
          : 'docker’s context has not been read yet',
      );
    },
    files: () => {
      if (!wanted) return [];
      const { whose, home } = wanted;
      const found = last?.whose === whose && last.context.known ? last.context.value : null;
      const name = wanted.name ?? found?.name ?? 'default';
      return [contextFile(home), ...(name === 'default' ? [] : [metaFile(home, name)])];
    },
    lookAnew: () => {
      [isDue, tries] = [true, 0];
    },
    stop: () => {
      stopped = true;
      timer?.cancel();
      timer = null;
    },
  };
}
