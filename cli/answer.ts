/** What one of doctor's checks finds. */
export interface Answer {
  readonly status: 'pass' | 'fail' | 'unknown';
  readonly detail: string;
  /** What to do, mostly commands. */
  readonly fix: readonly string[];
}

export const pass = (detail: string): Answer => ({ status: 'pass', detail, fix: [] });
export const fail = (detail: string, ...fix: string[]): Answer => ({ status: 'fail', detail, fix });
export const unclear = (detail: string, ...fix: string[]): Answer => ({ status: 'unknown', detail, fix });
