/**
 * The loop: triggers -> observe -> plan -> apply -> conditions. Triggers only say "look again" and are coalesced;
 * one pass runs at a time. It knows no room: everything it does is handed to it.
 */
import { messageOf } from '../lib/text.js';
import {
  conditionFor,
  costly,
  independent,
  isAboutIpv6,
  onMacAlone,
  StepError,
  type Step,
  type StepReason,
} from '../core/steps.js';
import type { Failure } from '../core/condition.js';

export interface Parts<World> {
  readonly observe: () => Promise<World>;
  readonly plan: (world: World) => readonly Step[];
  /** `signal` aborts when the step is no longer wanted. */
  readonly apply: (step: Step, signal: AbortSignal) => Promise<void>;
  /** Called after every pass, and in a long one meanwhile, with what was last seen and what still fails. */
  readonly report: (world: World, failures: readonly Failure[], pass: string) => void;
  readonly log: (
    level: 'info' | 'warn' | 'error' | 'debug',
    message: string,
    details: Record<string, unknown>,
  ) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** 0 ≤ random < 1, for jitter. */
  readonly random: () => number;
  /** After how many ms to look again when nothing is heard; asked after each pass. */
  readonly pace: () => number;
  readonly setTimer: (callback: () => void, milliseconds: number) => () => void;
}

/** How a pass ended; `stopped`: before its report, or it never began. */
export type Settled = 'reported' | 'failed' | 'stopped';

export interface Reconciler {
  /**
   * Something may have changed: look again soon. `retry` also forgets pauses: all of them (a person `asked`), or all but
   * those of steps that wait for a person (the Mac `woke`).
   */
  readonly trigger: (why: string, options?: { retry?: 'asked' | 'woke' }) => void;
  /** Resolves when a pass that began after this call has ended. */
  readonly settled: (why: string) => Promise<Settled>;
  /** No more passes; resolves when the running one has ended. */
  readonly stop: () => Promise<void>;
}

const coalesce = 20;
/**
 * Between the beginnings of two passes, unless a person asks: whoever can touch a file that is watched decides how often
 * something is heard.
 */
const leastApart = 250;
/** From hearing something to looking while a step waits for an engine: most such steps are done before. */
const unaccompanied = 1000;
const firstPause = 500;
const longestPause = 60_000;
/** Of a step of which each attempt costs something. */
const longestCostly = 3_600_000;
/** A pass that is at work for longer than this is told of meanwhile. */
const unreported = 2000;
/** A blocked step waits for a person; it is looked at again this rarely unless asked. */
const blockedPause = 3_600_000;
/** Effects are seen, and what depends on them planned, in the next round; more rounds than this is a plan that never ends. */
const maxRounds = 8;

type Backoff = Failure & { readonly attempts: number; readonly notBefore: number };

/** The steps in order, neighbours that may be carried out at once together. */
const groupsOf = (steps: readonly Step[]): readonly (readonly Step[])[] => {
  const groups: Step[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    const before = last?.[0]?.kind;
    if (before && independent.some((kinds) => kinds.has(before) && kinds.has(step.kind))) last.push(step);
    else groups.push([step]);
  }
  return groups;
};

/** Whether a plan still asks for what `running` does, by whatever key; or for its part that is about IPv6. */
const isWanted = (running: Step, steps: readonly Step[]): boolean =>
  steps.some(
    (step) =>
      step.kind === running.kind &&
      (isAboutIpv6(step) === isAboutIpv6(running) || ('ipv6' in running && isAboutIpv6(step))) &&
      'session' in step &&
      'session' in running &&
      step.session === running.session,
  );

export function createReconciler<World>(parts: Parts<World>): Reconciler {
  const backoffs = new Map<string, Backoff>();
  let passes = 0;
  let running: Promise<void> | null = null;
  const reasons = new Set<string>();
  const atWork = new Set<string>();
  let waiters: ((how: Settled) => void)[] = [];
  let stopped = false;
  let cancelTimer: () => void = () => undefined;
  let lastPass = -Infinity;
  /** Whether a person waits for the next pass. */
  let urgent = false;
  /** Whether something was heard since the last look began, and who is to be told when it is. */
  let unseen = false;
  let tellHeard = (): void => undefined;
  let hurry = (): void => undefined;

  /** Resolves after so many ms, or soon when a person asks. */
  const rest = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = parts.setTimer(resolve, urgent ? coalesce : Math.max(coalesce, milliseconds));
      hurry = () => {
        hurry = () => undefined;
        cancel();
        parts.setTimer(resolve, coalesce);
      };
    });

  /** Resolves once something is heard that the last look may not have seen. */
  async function heard(): Promise<true> {
    if (!unseen)
      await new Promise<void>((resolve) => {
        tellHeard = resolve;
      });
    await rest(unaccompanied);
    return true;
  }

  const isDue = ({ key }: Step): boolean => (backoffs.get(key)?.notBefore ?? 0) <= parts.now();

  const arm = (milliseconds: number, why: string): void => {
    cancelTimer();
    cancelTimer = stopped
      ? () => undefined
      : parts.setTimer(() => {
          trigger(why);
        }, milliseconds);
  };

  async function attempt(step: Step, pass: string, signal: AbortSignal): Promise<boolean> {
    const isFirst = !backoffs.has(step.key);
    try {
      parts.log(isFirst ? 'info' : 'debug', `${step.kind}: ${step.why}`, { pass, step });
      atWork.add(step.key);
      await parts.apply(step, signal);
      if (!isFirst) parts.log('info', `${step.kind}: done`, { pass, step });
      backoffs.delete(step.key);
      return true;
    } catch (error) {
      if (signal.aborted) {
        parts.log('info', `${step.kind} given up: ${messageOf(signal.reason)}`, { pass, step });
        return false;
      }
      const key = (error instanceof StepError ? error.key : null) ?? step.key;
      const attempts = (backoffs.get(key)?.attempts ?? 0) + 1;
      const blocked = error instanceof StepError && error.blocked;
      const once = error instanceof StepError && error.once;
      const why: StepReason =
        error instanceof StepError ? error.why : { condition: conditionFor(step), reason: 'Failed' };
      const message = messageOf(error);
      const longest = costly.has(step.kind) ? longestCostly : longestPause;
      const pause = Math.min(longest, firstPause * 2 ** (attempts - 1)) * (0.75 + parts.random() / 2);
      const first = backoffs.get(key)?.message !== message;
      parts.log(first ? 'warn' : 'debug', `${step.kind} failed: ${message}`, {
        pass,
        step,
        attempts,
        blocked,
      });
      backoffs.set(key, {
        step,
        ...why,
        message,
        blocked,
        attempts,
        notBefore: parts.now() + (once ? Infinity : blocked ? blockedPause : pause),
      });
      return false;
    } finally {
      atWork.delete(step.key);
    }
  }

  /**
   * Carries out what can be done at once; returns whether anything was. While a step waits for an engine, which may hang
   * or be hostile, what is heard is looked at: the step is given up when it is no longer wanted, and the Mac's own routes
   * and addresses do not wait for it.
   */
  async function carryOut(
    together: readonly Step[],
    pass: string,
    observe: () => Promise<World>,
  ): Promise<boolean> {
    const giveUp = new AbortController();
    const attempts = together.map((step) => ({ step, done: attempt(step, pass, giveUp.signal) }));
    const work = Promise.all(attempts.map(({ done }) => done));
    const quick = attempts.filter(({ step }) => !costly.has(step.kind)).map(({ done }) => done);
    const slow = together.find(({ kind }) => costly.has(kind));
    let progress = false;
    while (slow && (await Promise.race([work.then(() => false), heard()])) && !isStopped()) {
      try {
        // What is seen of a table may be older than a route that is being added: it would count as one that others took.
        await Promise.all(quick);
        const steps = parts.plan(await observe());
        if (isStopped()) break;
        if (!isWanted(slow, steps)) {
          giveUp.abort(new Error('it is no longer wanted'));
          break;
        }
        const due = steps.filter((step) => onMacAlone.has(step.kind) && !atWork.has(step.key) && isDue(step));
        for (const group of groupsOf(due)) {
          const done = await Promise.all(group.map((step) => attempt(step, pass, giveUp.signal)));
          progress ||= done.includes(true);
        }
      } catch (error) {
        parts.log('error', `a look during ${slow.kind} failed: ${messageOf(error)}`, { pass });
      }
    }
    tellHeard = () => undefined;
    return (await work).includes(true) || progress;
  }

  const report = (world: World, pass: string): void => {
    parts.report(world, [...backoffs.values()], pass);
  };

  /** Reports what a pass has seen last, again and again until it has ended: a step may take minutes. */
  function reportMeanwhile(pass: string): {
    readonly seen: (world: World) => void;
    readonly end: () => void;
  } {
    let latest: { readonly world: World } | null = null;
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = parts.setTimer(() => {
        try {
          if (latest && !isStopped()) report(latest.world, pass);
        } catch (error) {
          parts.log('error', `a report failed: ${messageOf(error)}`, { pass });
        }
        arm();
      }, unreported);
    };
    arm();
    return {
      seen: (world) => {
        latest = { world };
      },
      end: () => {
        cancel();
      },
    };
  }

  async function once(pass: string, onSeen: (world: World) => void): Promise<Settled> {
    const observe = async (): Promise<World> => {
      unseen = false;
      const seen = await parts.observe();
      onSeen(seen);
      return seen;
    };
    let world = await observe();
    if (isStopped()) return 'stopped';
    for (let round = 0; round < maxRounds && !isStopped(); round += 1) {
      const steps = parts.plan(world);
      const asked = new Set(steps.map(({ key }) => key));
      for (const key of backoffs.keys()) if (!asked.has(key)) backoffs.delete(key);
      const due = steps.filter(isDue);
      if (due.length === 0) break;
      // Whoever waits for the way by IPv4 need not wait for the other.
      if (round > 0 && due.every(isAboutIpv6)) report(world, pass);
      let progress = false;
      for (const together of groupsOf(due)) {
        if (isStopped()) break;
        const done = await carryOut(together, pass, observe);
        progress ||= done;
      }
      if (isStopped()) return 'stopped';
      world = await observe();
      if (!progress) break;
      if (round === maxRounds - 1)
        parts.log('warn', 'the plan does not come to an end; it goes on at the next look', { pass });
    }
    report(world, pass);
    return 'reported';
  }

  const isStopped = (): boolean => stopped;

  async function drain(): Promise<void> {
    while (reasons.size > 0) {
      await rest(lastPass + leastApart - parts.now());
      if (isStopped()) return;
      const why = [...reasons];
      const released = waiters;
      reasons.clear();
      waiters = [];
      urgent = false;
      lastPass = parts.now();
      passes += 1;
      const pass = String(passes);
      parts.log('debug', 'looking', { pass, why });
      const meanwhile = reportMeanwhile(pass);
      const how = await once(pass, meanwhile.seen).catch((error: unknown): Settled => {
        parts.log('error', `a pass failed: ${messageOf(error)}`, { pass });
        return 'failed';
      });
      meanwhile.end();
      for (const release of released) release(how);
    }
  }

  function trigger(why: string, options: { retry?: 'asked' | 'woke' } = {}): void {
    if (stopped) return;
    for (const [key, backoff] of backoffs)
      if (options.retry === 'asked' || (options.retry === 'woke' && !backoff.blocked))
        backoffs.set(key, { ...backoff, notBefore: 0, attempts: 0 });
    if (options.retry === 'asked') beUrgent();
    reasons.add(why);
    unseen = true;
    tellHeard();
    if (running) return;
    cancelTimer();
    running = drain().then(() => {
      running = null;
      if (reasons.size > 0) {
        trigger('more');
        return;
      }
      const resync = parts.pace();
      const soonest = Math.min(
        ...[...backoffs.values()].map(({ notBefore }) => notBefore - parts.now()),
        resync,
      );
      arm(Math.max(soonest, coalesce), soonest < resync ? 'a step is due again' : 'resync');
    });
  }

  function beUrgent(): void {
    urgent = true;
    hurry();
  }

  return {
    trigger,
    settled: (why) =>
      new Promise((resolve) => {
        if (stopped) {
          resolve('stopped');
          return;
        }
        waiters.push(resolve);
        beUrgent();
        trigger(why);
      }),
    stop: async () => {
      stopped = true;
      cancelTimer();
      for (const release of waiters) release('stopped');
      hurry();
      await running;
    },
  };
}
