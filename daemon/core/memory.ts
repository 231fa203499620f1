/** What the daemon remembers between its looks, in three parts, each with one writer (runtime/memory.ts). Data alone. */
import type { GuestReport } from './observation.js';
import type { NicSearch } from './link/nic.js';
import { type LinkMemory, noLinkMemory } from './link/yield.js';
import type { RestartMemory } from './docker/restart-memory.js';
import type { HeldRoute } from './routes/yield.js';
import type { OwnedRoute } from './routes/table.js';

/** What a person wants. */
export interface Wish {
  /** `restored`: down, and hyperkit as Docker shipped it. `removed`: leave without a trace (uninstall). */
  readonly wanted: 'up' | 'down' | 'restored' | 'removed';
  /** For a moment, and not for longer than this daemon lives, the link is to be down although it is wanted. */
  readonly lowered: boolean;
}

/** What is journalled: it outlives the daemon. */
export interface Journalled {
  /** Routes that we added and have not deleted, of either family. */
  readonly ownedRoutes: readonly OwnedRoute[];
  /** Bundles, by their identity, of which a process has been seen. */
  readonly launched: readonly string[];
  /** Docker.apps in unusual places, found by their processes. */
  readonly apps: readonly string[];
  readonly restart: RestartMemory;
  /** Reasons why nothing goes on without a person, of which one was told since containers last answered. */
  readonly toldBlocked: readonly string[];
  /** The link that Docker Desktop’s last VM took, where the configuration leaves that open: what to expect of the next. */
  readonly lastLink: 'tap' | 'vmnet' | null;
}

/** What is known of the way to the VM by one family, and of its end there. */
export interface Way {
  /** What was last done in the VM; worth nothing for another session. */
  readonly guest: GuestReport | null;
  /** The session in which the VM was last given back as it was. */
  readonly released: string | null;
  /** The VM at whose link our address was seen since it was last released: its end may be set up, whoever did that. */
  readonly mayBeSetUp: string | null;
  /** How it stands with a link that others keep taking away. */
  readonly link: LinkMemory;
}

export const noWay: Way = { guest: null, released: null, mayBeSetUp: null, link: noLinkMemory };

/** What this life of the daemon knows; worth nothing to the next one. Of the way itself that by IPv4. */
export interface Lived extends Way {
  /** Routes of ours that others keep removing, of either family. */
  readonly heldRoutes: readonly HeldRoute[];
  readonly ipv6: Way & {
    /** Whether the engine last had a network that needs IPv6: what to expect while it does not tell. */
    readonly isNeeded: boolean;
  };
  /** What was last seen of the VM's NICs, where the link is by one of them. */
  readonly nics: NicSearch | null;
}

export interface Memory extends Wish, Journalled, Lived {}
