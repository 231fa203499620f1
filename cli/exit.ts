/** The exit codes; scripts depend on them. */
export const exit = { healthy: 0, failed: 1, usage: 2, notRunning: 3, degraded: 4 } as const;

/** A command that could not do what was asked: `message` goes to stderr, the process ends with `code`. */
export class CliError extends Error {
  readonly code: number;

  constructor(message: string, code: number = exit.failed, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CliError';
    this.code = code;
  }
}
