/** What a reason is registered as: the shape of the records beside this file. */

/** Every condition, in the order in which status and doctor show them. */
export const conditionTypes = [
  'Configuration',
  'ConsoleUser',
  'TapDevice',
  'Shim',
  'VirtualMachine',
  'TapAttached',
  'TapAddress',
  'Engine',
  'Guest',
  'Routes',
  'DataPath',
  'Names',
  'Ipv6',
  'Ready',
] as const;

export type ConditionType = (typeof conditionTypes)[number];

/**
 * `fine`: nothing is to be done. `idle`: nothing is wrong, there is nothing to reach or a person wants it so.
 * `transient`: it passes by itself. `degraded`: something does not work, whether or not tuntapd tries again by itself.
 * `persistent`: it lasts until a person acts, and the phase is `blocked`.
 */
export type Severity = 'fine' | 'idle' | 'transient' | 'degraded' | 'persistent';

/** One thing that a person can do. `{device}`, `{address}`, `{peer}` and `{network}` stand for the link’s: see `linkOf`. */
export interface Remedy {
  readonly text: string;
  /** A command line that can be pasted as it is. */
  readonly command?: string;
}

export interface ReasonRecord {
  readonly severity: Severity;
  /** No other reason but an invalid configuration counts before it: with this Docker, as it is, there can be no link. */
  readonly isTerminal?: boolean;
  /**
   * What it goes away with: while one of these is not True the reason is a mere consequence, and is not shown beside it.
   * What stays after its cause has gone, and needs something done of its own, depends on nothing.
   */
  readonly dependsOn?: readonly ConditionType[];
  /** What it means, for people, in Markdown. */
  readonly meaning: string;
  /** In the order in which to try them. */
  readonly whatToDo?: readonly Remedy[];
  /** Status tells it although nothing is wrong: somebody may be waiting for what does not come by itself. */
  readonly isTold?: boolean;
  /** What doctor tells although nothing is wrong. */
  readonly notice?: string;
}

/** A condition, with everything it can give as its reason. */
export interface Topic {
  /** The number of doctor's question; never given to another one. */
  readonly code: `TT1${number}`;
  readonly question: string;
  /** For reasons that do not say themselves what they depend on. */
  readonly dependsOn?: readonly ConditionType[];
  readonly reasons: Readonly<Record<string, ReasonRecord>>;
}
