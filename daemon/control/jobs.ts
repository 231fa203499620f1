import type { Action, Outcome } from '../api/messages.js';

interface Job {
  readonly action: Action;
  readonly work: Promise<Outcome>;
  readonly abandon: AbortController;
  clients: number;
  over: boolean;
}

export interface Jobs {
  /**
   * The outcome of an action, which is begun unless the same one was the last to be asked for and is at work. `gone`
   * aborts when the asker waits no more; without askers nothing waits for the outcome. Null when too many wait already.
   */
  readonly take: (action: Action, gone: AbortSignal) => Promise<Outcome> | null;
}

/** What is being carried out for those who asked over the control socket: so many wait for one action at the most. */
export function createJobs(
  begin: (action: Action, abandoned: AbortSignal) => Promise<Outcome>,
  maxWaiting: number,
): Jobs {
  const waiting = new Map<Action, number>();
  let latest: Job | null = null;

  function start(action: Action): Job {
    const abandon = new AbortController();
    const job: Job = { action, work: begin(action, abandon.signal), abandon, clients: 0, over: false };
    const end = (): void => {
      job.over = true;
    };
    job.work.then(end, end);
    return job;
  }

  return {
    take: (action, gone) => {
      const before = waiting.get(action) ?? 0;
      if (before >= maxWaiting) return null;
      waiting.set(action, before + 1);
      const job = latest?.action === action && !latest.over ? latest : (latest = start(action));
      job.clients += 1;
      let isWaiting = true;
      const leave = (): void => {
        if (!isWaiting) return;
        isWaiting = false;
        waiting.set(action, (waiting.get(action) ?? 1) - 1);
        job.clients -= 1;
        if (job.clients > 0) return;
        job.over = true;
        job.abandon.abort(new Error('nobody waits for it any more'));
      };
      gone.addEventListener('abort', leave, { once: true });
      job.work.then(leave, leave);
      return job.work;
    },
  };
}
