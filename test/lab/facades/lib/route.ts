/** What route(8) says in either family. */
import type { Outcome } from './served.js';

export class Exit extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const usage = 'usage: route [-dnqtv] command [[modifiers] args]';

const strerror: Readonly<Record<string, string>> = {
  EEXIST: 'File exists',
  ESRCH: 'not in table',
  ENETUNREACH: 'Network is unreachable',
  EBUSY: 'entry in use',
};

/** What the kernel refused, which ends with 0. */
export function refused(line: string, code: string): Outcome {
  const why = strerror[code] ?? code;
  return { status: 0, out: `${line}: ${why}\n`, err: `route: writing to routing socket: ${why}\n` };
}
