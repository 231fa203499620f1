import { readJournal, writeJournal } from '../api/journal.js';
import { noLinkMemory } from '../core/link/yield.js';
import type { Log } from './log.js';
import type { Memory } from '../core/memory.js';
import { messageOf } from '../lib/text.js';

export interface MemoryKeeper {
  readonly now: () => Memory;
  /** Changes what is remembered, and the journal with it. Never rejects: a full disk must not stop the daemon. */
  readonly change: (part: Partial<Memory>) => Promise<void>;
  /** From now on the journal is somebody else's; resolves when what is being written is. */
  readonly close: () => Promise<void>;
}

/** What is worth nothing to another daemon. */
const fleeting = new Set(['lowered', 'guest', 'released', 'mayBeSetUp', 'heldRoutes', 'link', 'nics']);

/**
 * What the daemon remembers, begun with what its journal at `path` holds. Earlier versions journalled no interface of a
 * route: it was the tap of the configuration, `tapDevice`.
 */
export async function keepMemory(path: string, log: Log, tapDevice: string): Promise<MemoryKeeper> {
  const { journal, trouble: lost } = await readJournal(path);
  if (lost !== null) log.warn(lost);
  let memory: Memory = {
    ...journal,
    ownedRoutes: journal.ownedRoutes.map((route) => ({ ...route, interface: route.interface ?? tapDevice })),
    lowered: false,
    guest: null,
    released: null,
    mayBeSetUp: null,
    heldRoutes: [],
    link: noLinkMemory,
    nics: null,
  };
  let closed = false;
  /** Why the journal does not hold what is remembered. */
  let trouble: string | null = null;
  const write = async (): Promise<void> => {
    if (closed) return;
    const { wanted, ownedRoutes, launched, apps, restart, lastLink } = memory;
    try {
      await writeJournal(path, {
        wanted: wanted === 'removed' ? 'up' : wanted,
        ownedRoutes: [...ownedRoutes],
        launched: [...launched],
        apps: [...apps],
        restart: { ...restart, attempts: [...restart.attempts] },
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
  return {
    now: () => memory,
    change: async (part) => {
      memory = { ...memory, ...part };
      // With every look something fleeting is remembered: what could not be written is tried again then.
      if (trouble === null && Object.keys(part).every((key) => fleeting.has(key))) return;
      written = written.then(write);
      await written;
    },
    close: async () => {
      closed = true;
      await written;
    },
  };
}
