/** The errno-like numbers and words that launchctl prints, as macOS has them (they are Darwin's, not Linux's). */
export const words: Readonly<Record<number, string>> = {
  1: 'Operation not permitted',
  3: 'No such process',
  5: 'Input/output error',
  36: 'Operation now in progress',
  37: 'Operation already in progress',
  113: 'Could not find specified service',
  119: 'Service is disabled',
  125: 'Domain does not support specified action',
};

/** What a launchd operation answers: 0, or one of the numbers above, and what there is to say beyond it. */
export interface Outcome {
  readonly status: number;
  readonly text?: string;
  /** Printed before the status line (`PATH: Path had bad ownership/permissions`). */
  readonly detail?: string;
  readonly pid?: number;
}
