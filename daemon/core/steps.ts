/**
 * Everything the daemon can do to the world. A step is data; `main` wires each kind to the room that carries it
 * out. Carrying a step out twice changes nothing the second time.
 */

import type { ConditionType } from '../api/reasons/record.js';
import type { Reason, ReasonOf } from '../api/reasons/registry.js';
import { isIpv6 } from '../lib/prefix.js';
import type { ConsoleUser, DockerProcess, Vm, VmBridge } from './observation.js';

interface Cause {
  /** Same key, same step: what backs off and what is reported. */
  readonly key: string;
  /** For the log: why plan asks for it. */
  readonly why: string;
}

export interface LoadKext extends Cause {
  readonly kind: 'load-kext';
  readonly bundle: string;
}

/** Gives `/dev/tapN` to a uid: hyperkit runs as the user and opens it as such (pci_virtio_net_tap.c). */
export interface OwnTapDevice extends Cause {
  readonly kind: 'own-tap-device';
  readonly path: string;
  readonly uid: number;
}

/** What somebody reads in a notification. */
export interface Notice {
  readonly user: ConsoleUser;
  readonly text: string;
}

export interface InstallShim extends Cause {
  readonly kind: 'install-shim';
  readonly hyperkit: string;
  /** Who is told of it afterwards. */
  readonly notice: Notice | null;
}

export interface RestoreHyperkit extends Cause {
  readonly kind: 'restore-hyperkit';
  readonly hyperkit: string;
}

export interface AddressTap extends Cause {
  readonly kind: 'address-tap';
  readonly interface: string;
  readonly macAddress: string;
  readonly prefix: number;
  readonly mtu: number;
  /** Whether an address that is there is set again, which brings back the connected row of its network. */
  readonly anew: boolean;
}

export interface UnaddressTap extends Cause {
  readonly kind: 'unaddress-tap';
  readonly interface: string;
  readonly macAddress: string;
}

/** Looks in the VM for the NIC that is on one of these bridges; changes nothing there. */
export interface FindNic extends Cause {
  readonly kind: 'find-nic';
  readonly session: string;
  readonly vm: string;
  readonly bridges: readonly VmBridge[];
  /** The data path’s generation that this one answers. */
  readonly generation: number;
}

/** The VM’s end of the way by one family. */
export interface VmEnd {
  readonly vmAddress: string;
  readonly prefix: number;
  /** Whether it has that address of its own. Left out: no. */
  readonly isGiven?: boolean;
  readonly macAddress: string;
  /** Every address of the Mac’s that is let in, where the other end is given. Left out: `macAddress` alone. */
  readonly sources?: readonly string[];
  /** The data path’s generation that this one answers. */
  readonly generation: number;
}

export interface PrepareGuest extends Cause, VmEnd {
  readonly kind: 'prepare-guest';
  readonly session: string;
  readonly engineVersion: string;
  /** MAC of the link's NIC in the VM. */
  readonly nic: string;
  readonly mtu: number;
  /** What is set up by IPv6 in the same conversation, after it; what fails of it has this key. Left out: nothing. */
  readonly ipv6?: VmEnd & Pick<Cause, 'key'>;
}

export interface ReleaseGuest extends Cause {
  readonly kind: 'release-guest';
  readonly session: string;
  /** Whether the VM has the link's NIC. */
  readonly hasNic: boolean;
  readonly nic: string;
  readonly vmAddress: string;
  readonly prefix: number;
  /** Whether it has that address of its own: then NIC and address are let be, whatever they are. Left out: no. */
  readonly isGiven?: boolean;
}

export interface AddRoute extends Cause {
  readonly kind: 'add-route';
  readonly subnet: string;
  readonly gateway: string;
  readonly interface: string;
}

export interface DeleteRoute extends Cause {
  readonly kind: 'delete-route';
  readonly subnet: string;
  readonly gateway: string;
  readonly interface: string;
}

/** Has Docker quit as its menu does, so that the next VM gets the tap. */
export interface QuitDocker extends Cause {
  readonly kind: 'quit-docker';
  readonly vm: Vm;
  readonly user: ConsoleUser;
  readonly gui: DockerProcess;
  readonly app: string;
  /** Identity of the bundle. */
  readonly bundle: string;
}

export interface OpenDocker extends Cause {
  readonly kind: 'open-docker';
  readonly app: string;
  readonly user: ConsoleUser;
}

/** A notification about a VM. */
export interface TellUser extends Cause {
  readonly kind: 'tell-user';
  readonly vm: string;
  readonly user: ConsoleUser;
  readonly text: string;
}

/** Has macOS ask our server for the zone. */
export interface WriteResolver extends Cause {
  readonly kind: 'write-resolver';
  readonly zone: string;
  readonly text: string;
}

export interface RemoveResolver extends Cause {
  readonly kind: 'remove-resolver';
  readonly zone: string;
  /** Whether the folder goes too where nothing else is in it. */
  readonly withFolder: boolean;
}

export type Step =
  | LoadKext
  | OwnTapDevice
  | InstallShim
  | RestoreHyperkit
  | AddressTap
  | UnaddressTap
  | FindNic
  | PrepareGuest
  | ReleaseGuest
  | AddRoute
  | DeleteRoute
  | QuitDocker
  | OpenDocker
  | TellUser
  | WriteResolver
  | RemoveResolver;

/**
 * Kinds of which neighbours are carried out at once: each route is about a prefix of its own, and the Mac's end of the
 * link and the VM's inside are nothing to each other.
 */
export const independent: readonly ReadonlySet<Step['kind']>[] = [
  new Set(['delete-route']),
  new Set(['prepare-guest', 'add-route']),
  new Set(['release-guest', 'unaddress-tap']),
];

/** Kinds that concern the Mac alone and take a moment: they do not wait for a VM's engine. */
export const onMacAlone: ReadonlySet<Step['kind']> = new Set(['delete-route', 'add-route', 'unaddress-tap']);

/**
 * Kinds of which each attempt costs a container in a VM that would rather sleep. They take as long as its engine does.
 */
export const costly: ReadonlySet<Step['kind']> = new Set(['find-nic', 'prepare-guest', 'release-guest']);

/**
 * How each kind of step is carried out. Rejects with a `StepError` (or any error: then it is tried again). `signal` aborts
 * when the step is no longer wanted.
 */
export type Executors = {
  readonly [K in Step['kind']]: (step: Extract<Step, { kind: K }>, signal: AbortSignal) => Promise<void>;
};

/** A step's key of these words, which says so where it is about IPv6, as an address of its tells. */
export const keyOf = (words: string, address: string): string => (isIpv6(address) ? `${words} IPv6` : words);

/** Whether a step is about the way by IPv6. */
export function isAboutIpv6(step: Step): boolean {
  if ('subnet' in step) return isIpv6(step.subnet);
  if ('vmAddress' in step) return isIpv6(step.vmAddress);
  return 'macAddress' in step && isIpv6(step.macAddress);
}

/** The condition that a kind of step is about; the summary, where no other is. */
export const conditionOf = {
  'load-kext': 'TapDevice',
  'own-tap-device': 'TapDevice',
  'install-shim': 'Shim',
  'restore-hyperkit': 'Shim',
  'address-tap': 'TapAddress',
  'unaddress-tap': 'Ready',
  'find-nic': 'Guest',
  'prepare-guest': 'Guest',
  'release-guest': 'Guest',
  'add-route': 'Routes',
  'delete-route': 'Routes',
  'quit-docker': 'Ready',
  'open-docker': 'Ready',
  'tell-user': 'Ready',
  'write-resolver': 'Names',
  'remove-resolver': 'Names',
} as const satisfies Readonly<Record<Step['kind'], ConditionType>>;

/** A condition that a step can fail. */
export type StepCondition = (typeof conditionOf)[Step['kind']] | 'TapAttached' | 'Ipv6';

/** The condition that a step is about, by its family too. */
export const conditionFor = (step: Step): Exclude<StepCondition, 'TapAttached'> =>
  isAboutIpv6(step) ? 'Ipv6' : conditionOf[step.kind];

interface ReasonFor<T extends StepCondition> {
  readonly condition: T;
  readonly reason: ReasonOf<T>;
}

/** Why a step failed: a reason that is registered for the condition which shows it. */
export type StepReason<T extends StepCondition = StepCondition> = { [C in T]: ReasonFor<C> }[T];

/**
 * A step that did not work. `blocked` means that trying again is useless until a person acts: it is said once and
 * not retried in a storm.
 */
export class StepError extends Error {
  readonly blocked: boolean;
  /** Every attempt bothers a person (a dialog of macOS): one is enough until somebody asks for another. */
  readonly once: boolean;
  /** Of the part of a step that failed, where the rest of it is done. Null: it is all of the step. */
  readonly key: string | null;
  readonly why: StepReason;

  constructor(
    message: string,
    options: StepReason & { blocked?: boolean; once?: boolean; key?: string | null; cause?: unknown },
  ) {
    const { blocked = false, once = false, key = null, cause, ...why } = options;
    super(message, { cause });
    this.key = key;
    this.name = 'StepError';
    this.why = why;
    this.blocked = blocked;
    this.once = once;
  }

  get reason(): Reason {
    return this.why.reason;
  }
}
