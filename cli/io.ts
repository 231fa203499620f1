import type { CommandResult } from '../daemon/lib/command.js';
import type { Layout } from '../daemon/lib/layout.js';

export interface Output {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  /** Of a terminal. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** Everything outside that a command can see or touch. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Whose rights this process has; 0 is root. */
  readonly uid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly version: string;
  readonly socketPath: string;
  readonly logPath: string;
  readonly configPath: string;
  readonly layout: Layout;
  readonly run: (file: string, args: readonly string[]) => Promise<CommandResult>;
  /** Has a program do the rest on this terminal, in a clean environment; returns its exit status. */
  readonly inForeground: (file: string, args: readonly string[]) => Promise<number>;
  /** Whether a kernel answers TCP there (null: on a port that hardly anybody has), asked from an address of this Mac's. */
  readonly connect: (
    address: string,
    port: number | null,
    from: string,
  ) => Promise<{ readonly alive: boolean; readonly said: string }>;
  /** The IPv4 addresses of a host by whoever answers DNS at this port of 127.0.0.1. Rejects when it has none. */
  readonly lookUp: (host: string, port: number) => Promise<readonly string[]>;
  /** Those that programs get of macOS (getaddrinfo). Rejects likewise, and when that takes long: nobody waits without end. */
  readonly addressesOf: (host: string) => Promise<readonly string[]>;
  readonly renderShim: (options: { device: string; mac: string; wait: number }) => string;
  /**
   * For what goes on until it is interrupted (`logs -f`): from now on Ctrl-C aborts this signal instead of ending the
   * process, and so does a reader that goes away.
   */
  readonly untilInterrupted: () => AbortSignal;
}
