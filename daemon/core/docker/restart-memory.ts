/** What is remembered of restarts of Docker. Data alone. */

export interface RestartMemory {
  /** Restarts begun since a link last came up; `failed` says why Docker did not quit. */
  readonly attempts: readonly {
    readonly vm: string;
    readonly bundle: string;
    readonly failed: string | null;
  }[];
  /** The VM about which the user was last told. */
  readonly told: string | null;
  /** How often a person has asked for the link: what runs in the VM is looked at again for each time. */
  readonly asked: number;
  /** We quit this Docker (its process was `gui`) at `at`, in ms since the epoch, and owe its user to open it again. */
  readonly reopen: {
    readonly app: string;
    readonly uid: number;
    readonly gui: number;
    readonly at: number;
  } | null;
}

export const noRestart: RestartMemory = { attempts: [], told: null, asked: 0, reopen: null };
