import { readJournal, writeJournal } from '../api/journal.js';
import type { Log } from './log.js';
import { type Journalled, type Lived, type Memory, noWay, type Wish } from '../core/memory.js';
import { messageOf } from '../lib/text.js';

export interface MemoryKeeper {
  readonly now: () => Memory;
  /** Changes what a person wants, and the journal with it. None of the three rejects: a full disk must not stop the daemon. */
  readonly wish: (change: Partial<Wish>) => Promise<void>;
  /** Changes what outlives the daemon; resolves when the journal has it, or cannot be written. */
  readonly record: (change: Partial<Journalled>) => Promise<void>;
  /** Changes what only this life knows. */
  readonly learn: (change: Partial<Lived>) => Promise<void>;
  /** From now on the journal is somebody else's; resolves when what is being written is. */
  readonly close: () => Promise<void>;
}

/**
 * What the daemon remembers, begun with what its journal at `path` holds. Earlier versions journalled no interface of a
 * route: it was the tap of the configuration, `tapDevice`.
 */
export async function keepMemory(path: string, log: Log, tapDevice: string): Promise<MemoryKeeper> {
  const { journal, trouble: lost } = await readJournal(path);
  if (lost !== null) log.warn(lost);
  const { wanted, ownedRoutes, ...told } = journal;
  let wish: Wish = { wanted, lowered: false };
  let journalled: Journalled = {
    ...told,
    ownedRoutes: ownedRoutes.map((route) => ({ ...route, interface: route.interface ?? tapDevice })),
  };
  let lived: Lived = { ...noWay, heldRoutes: [], ipv6: { ...noWay, isNeeded: false }, nics: null };
  let closed = false;
  /** Why the journal does not hold what is remembered. */
  let trouble: string | null = null;
  const write = async (): Promise<void> => {
    if (closed) return;
    const { launched, apps, restart, toldBlocked, lastLink } = journalled;
    try {
      await writeJournal(path, {
        wanted: wish.wanted === 'removed' ? 'up' : wish.wanted,
        ownedRoutes: [...journalled.ownedRoutes],
        launched: [...launched],
        apps: [...apps],
        restart: { ...restart, attempts: [...restart.attempts] },
        toldBlocked: [...toldBlocked],
        lastLink,
      });
      trouble = null;
    } catch (error) {
      const said = `${path} cannot be written: ${messageOf(error)}`;
      if (said !== trouble) log.error(said);
      trouble = said;
    }
  };
  /** One at a time: a person’s wish arrives while a pass is at work. */
  let written: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => (written = written.then(write));
  return {
    now: () => ({ ...wish, ...journalled, ...lived }),
    wish: async (change) => {
      const { wanted: before } = wish;
      wish = { ...wish, ...change };
      if (trouble !== null || wish.wanted !== before) await save();
    },
    record: (change) => {
      journalled = { ...journalled, ...change };
      return save();
    },
    learn: async (change) => {
      lived = { ...lived, ...change };
      // Every look learns something: what could not be written is tried again then.
      if (trouble !== null) await save();
    },
    close: async () => {
      closed = true;
      await written;
    },
  };
}
