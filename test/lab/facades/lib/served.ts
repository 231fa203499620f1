/** What a facade that the machine's own process answers is given, and what it answers. */
export interface Caller {
  readonly args: readonly string[];
  readonly uid: number;
  /** The caller's COLUMNS, empty without. */
  readonly columns: string;
  /** Asks the machine; throws MachineError. `listen` is told what follows the answer. */
  readonly call: <T>(op: string, payload?: unknown, listen?: (line: unknown) => void) => Promise<T>;
  /** All of the caller's stdin, which is not touched before. */
  readonly stdin: () => Promise<string>;
  /** Prints at once, before the end. */
  readonly print: (text: string) => void;
  /** Aborted when the caller has ended. */
  readonly gone: AbortSignal;
}

export interface Said {
  readonly out?: string;
  readonly err?: string;
}

export interface Outcome extends Said {
  readonly status: number;
}

export type Facade = (caller: Caller) => Outcome | Promise<Outcome>;

/** Thrown by `finish`. */
export class Finished extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super(outcome.err);
    this.outcome = outcome;
  }
}

/** Ends the facade from wherever it is. */
export function finish(status: number, said: Said = {}): never {
  throw new Finished({ status, ...said });
}
