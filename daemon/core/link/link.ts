/** The seam: how this Mac and Docker's VM reach each other. All that comes after knows only this, not its maker. */
import type { Prefix } from '../../lib/prefix.js';
import { isPrintedAs } from '../../lib/printed-name.js';
import type { ConsoleUser, Route, Vm } from '../observation.js';
import type { FoundNic } from './nic.js';

export interface Link {
  /** Name of the maker, e.g. `tap`. */
  readonly maker: string;
  /** The Mac's, e.g. `tap1`. */
  readonly interface: string;
  readonly macAddress: string;
  /** The gateway of every route. */
  readonly vmAddress: string;
  readonly network: Prefix;
  /** Bytes. */
  readonly mtu: number;
  /** MAC of its NIC in the VM, by which it is found there. */
  readonly nic: string;
  /** Whether the VM’s end has its address of its own (DHCP), so that it is neither set nor taken away. Left out: no. */
  readonly isGiven?: boolean;
  /** Every address with which the Mac may speak to others there. Left out: `macAddress` alone. */
  readonly sources?: readonly string[];
}

interface Common {
  /** Null where it cannot be known before it is there. */
  readonly link: Link | null;
  /** The VM at its other end; null: none, or not ours. */
  readonly vm: Vm | null;
  /** Whether the Mac's end has its address, whatever else it lacks. */
  readonly isAddressed: boolean;
  /** Whether the VM was started with its NIC. */
  readonly hasNic: boolean;
  /** What is known of a NIC that has to be looked for; null: it has to be (again). Left out: none is. */
  readonly sought?: FoundNic | null;
}

/**
 * The state by one family; by IPv6 the same link has one of its own.
 *
 * `absent`: no VM has it; `missed` is one that could have it after a restart, and its user. `present` but not up: it
 * `lacks` its `address` (or prefix, or MTU), its connected `row`, or that row is somebody else's, so it came after ours
 * (`network`); by IPv6 also that nobody else is known to have the address (`uniqueness`). `up`: packets for the VM's end take it.
 */
export type LinkState = Common &
  (
    | { readonly kind: 'unknown'; readonly why: string }
    | { readonly kind: 'absent'; readonly missed: { readonly vm: Vm; readonly user: ConsoleUser } | null }
    | { readonly kind: 'present'; readonly vm: Vm; readonly link: Link; readonly lacks: 'address' | 'row' }
    | {
        readonly kind: 'present';
        readonly vm: Vm;
        readonly link: Link;
        readonly lacks: 'network';
        readonly row: Route;
      }
    | {
        readonly kind: 'present';
        readonly vm: Vm;
        readonly link: Link;
        readonly lacks: 'uniqueness';
        /** For people: that it is being asked, or what was found. */
        readonly why: string;
        /** Whether it passes by itself within a few seconds. */
        readonly isAsked: boolean;
      }
    | { readonly kind: 'up'; readonly vm: Vm; readonly link: Link }
  );

/** The row by which another program took the link's network after the link had it, or null. */
export const takenBy = (state: LinkState): Route | null =>
  state.kind === 'present' && state.lacks === 'network' ? state.row : null;

/** An interface's name as the table prints it at its own network. */
export function printedName(name: string, network: Prefix, table: readonly Route[] | null): string {
  const row = table?.find(
    ({ destination, flags, interface: printed }) =>
      destination.text === network.text && !flags.includes('G') && isPrintedAs(name, printed),
  );
  return row?.interface ?? name;
}

/** Whether that row is the kernel's own for an address on the interface; one with a gateway (G) is another program's. */
export const isConnected = (link: Link, row: Route): boolean =>
  row.interface === link.interface && !row.flags.includes('G');
