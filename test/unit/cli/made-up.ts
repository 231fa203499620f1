import type { Condition, Status } from '../../../daemon/api/messages.js';

const since = '2026-03-04T05:06:07.000Z';

export const condition = (
  type: string,
  status: Condition['status'] = 'True',
  message = 'fine',
): Condition => ({
  type,
  status,
  reason: status === 'True' ? 'Good' : 'NotGood',
  message,
  since,
});

export const madeUpStatus = (change: Partial<Status> = {}): Status => ({
  version: '1.2.3',
  pid: 4711,
  since,
  phase: 'ready',
  conditions: [condition('TapDevice'), condition('Ready')],
  routes: [
    { subnet: '172.31.0.0/16', network: 'bridge', state: 'routed', why: 'via 10.9.0.2 on tap3' },
    { subnet: '10.0.0.0/8', network: 'huge', state: 'refused', why: 'larger than /12' },
  ],
  ...change,
});

/** Docker's socket is left over, and all that follows from it. */
export const staleSocket: Partial<Status> = {
  phase: 'degraded',
  conditions: [
    { ...condition('TapDevice'), reason: 'Owned' },
    { ...condition('Engine', 'Unknown', 'left over'), reason: 'SocketStale' },
    { ...condition('Guest', 'False', 'no engine'), reason: 'NoEngine' },
    { ...condition('DataPath', 'False', 'nothing to check'), reason: 'NoLink' },
    { ...condition('Ready', 'False', 'left over'), reason: 'SocketStale' },
  ],
};
