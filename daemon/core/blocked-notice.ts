/** When the user in front of the Mac is told that nothing goes on without a person: once for a reason. Pure. */
import type { Status } from '../api/messages.js';
import { causeOf } from '../api/reasons/consequences.js';
import type { ReasonOf } from '../api/reasons/registry.js';
import { plain } from '../lib/text.js';
import type { Config } from '../../config/schema.js';
import type { Memory } from './memory.js';
import { type Observation, valueOf } from './observation.js';
import type { Notice } from './steps.js';

/** Reasons that are kept; there are hardly as many. */
const maxTold = 32;

/** Characters of the reason, so that the command after it has room in a notification. */
const maxMessage = 250;

/** It has a notice of its own (docker/restart.ts), as `restartDocker` has it. */
const toldElsewhere: ReasonOf<'TapAttached'> = 'RestartNeeded';

export interface BlockedNotice {
  /** Whom to tell what; null: nobody of anything. */
  readonly notice: Notice | null;
  /** What is to be remembered from now on. */
  readonly toldBlocked: Memory['toldBlocked'];
}

/**
 * Whether somebody is to be told now. A reason is told again only after containers have answered: a Mac that lacks an approval
 * would else say so at each start of Docker.
 */
export function blockedNotice(
  config: Config,
  { consoleUser }: Pick<Observation, 'consoleUser'>,
  { phase, conditions }: Pick<Status, 'phase' | 'conditions'>,
  { toldBlocked }: Pick<Memory, 'toldBlocked'>,
): BlockedNotice {
  const nothing = { notice: null, toldBlocked };
  if (phase === 'ready') return toldBlocked.length === 0 ? nothing : { notice: null, toldBlocked: [] };
  const user = valueOf(consoleUser);
  // What no other condition shows is said by the summary alone.
  const summary = conditions.find(({ type }) => type === 'Ready') ?? null;
  const cause = phase === 'blocked' ? (causeOf(conditions) ?? summary) : null;
  if (!config.notifications || user === null || cause === null || cause.reason === toldElsewhere)
    return nothing;
  const key = `${cause.type} ${cause.reason}`;
  if (toldBlocked.includes(key)) return nothing;
  const words = plain(cause.message, maxMessage);
  const text = `${words}${words.endsWith('…') ? '' : '.'} What to do: tuntapctl status`;
  return { notice: { user, text }, toldBlocked: [...toldBlocked, key].slice(-maxTold) };
}
