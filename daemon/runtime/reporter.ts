/** What is told after each look: the status that people and programs read, and a line of the log where it changed. */
import type { Condition, Status } from '../api/messages.js';
import type { Failure } from '../core/condition.js';
import { judgeConditions } from '../core/conditions.js';
import type { Judgement } from '../core/judgement.js';
import type { LinkMaker } from '../core/link/maker.js';
import { toldLink } from '../core/link/told.js';
import { paceOf } from '../core/pace.js';
import { toldRoutes } from '../core/routes/routes.js';
import { datedConditions, statusOf } from '../core/status.js';

export interface Reporter {
  /** Takes down what was seen, and which steps still fail, in this pass; returns the status that this is. */
  readonly report: (judgement: Judgement, failures: readonly Failure[], pass: string) => Status;
  /** Null before the first report. */
  readonly status: () => Status | null;
  /** Steps that failed by the last report. */
  readonly failures: () => readonly Failure[];
  /** Milliseconds after which to look again when nothing is heard. */
  readonly pace: () => number;
}

const sinceOf = (conditions: readonly Condition[]): string | undefined =>
  conditions.find(({ type }) => type === 'Ready')?.since;

/** `now`: milliseconds of a clock that only goes forward. */
export function createReporter(parts: {
  maker: LinkMaker;
  pid: number;
  log: (message: string, details: Record<string, unknown>) => void;
  now: () => number;
}): Reporter {
  const { maker, pid, log, now } = parts;
  /** When this process began, also where it starts anew with another configuration. */
  const since = new Date(performance.timeOrigin).toISOString();
  let status: Status | null = null;
  let conditions: readonly Condition[] = [];
  let failures: readonly Failure[] = [];
  /** When Ready last changed. */
  let readySince = now();
  return {
    report: (judgement, left, pass) => {
      const { phase, findings } = judgeConditions(maker, judgement, left);
      const before = conditions;
      conditions = datedConditions(findings, before, new Date().toISOString());
      if (sinceOf(conditions) !== sinceOf(before)) readySince = now();
      for (const condition of conditions)
        if (!before.some(({ type, since: known }) => type === condition.type && known === condition.since))
          log(`${condition.type} is ${condition.status}: ${condition.message}`, {
            pass,
            reason: condition.reason,
          });
      failures = left;
      return (status = statusOf({
        pid,
        since,
        phase,
        conditions,
        routes: toldRoutes(judgement),
        names: judgement.names,
        observation: judgement.observation,
        link: judgement.link,
        link6: judgement.ipv6?.link ?? null,
        told: toldLink(judgement),
      }));
    },
    status: () => status,
    failures: () => failures,
    pace: () => paceOf(status?.phase ?? null, now() - readySince),
  };
}
