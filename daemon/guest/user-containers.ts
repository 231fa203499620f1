import * as z from 'zod';
import { ageOf } from '../lib/age.js';
import { plain } from '../lib/text.js';
import { withDeadline } from './deadline.js';
import { type EngineClient, unlessGone } from './engine-client.js';
import { untrustedList, untrustedRecord } from './json.js';
import { label } from './agent-container.js';

const listSchema = untrustedList(
  z.object({
    Id: z.string(),
    Names: untrustedList(z.string()).nullish(),
    /** Seconds since the epoch, by the VM's clock. */
    Created: z.number(),
    Labels: untrustedRecord(z.string()),
  }),
);
const infoSchema = z.object({ SystemTime: z.iso.datetime({ offset: true }) });
const stateSchema = z.object({ State: z.object({ StartedAt: z.iso.datetime({ offset: true }) }) });

/** For the whole question, in ms: a look waits for it, and an engine that has just begun is slow. */
const deadline = 30_000;
/** Containers that are asked one by one; where there are more it is not told. */
const maxAsked = 100;

/**
 * The container that has been running longest and is not ours, with its age in seconds by the VM's own clock, Infinity
 * when that was set back since; null when none runs. Throws when the engine does not tell.
 */
export const longestRunning = (
  engine: EngineClient,
  timeout = deadline,
): Promise<{ name: string; seconds: number } | null> =>
  withDeadline(engine, { milliseconds: timeout }, askForLongest);

async function askForLongest(engine: EngineClient): Promise<{ name: string; seconds: number } | null> {
  const { SystemTime } = await engine.json('GET', '/info', infoSchema);
  const running = await engine.json('GET', '/containers/json', listSchema);
  let asked = 0;
  let longest: { name: string; seconds: number } | null = null;
  for (const { Id, Names, Labels, Created } of running) {
    if (Object.hasOwn(Labels, label)) continue;
    const now = Date.parse(SystemTime);
    // No container runs for longer than it has existed, so only these need be asked for one by one.
    if (longest && ageOf(Created * 1000, now) / 1000 <= longest.seconds) continue;
    asked += 1;
    if (asked > maxAsked) throw new Error(`more than ${maxAsked} containers run`);
    const found = await engine
      .json('GET', `/containers/${encodeURIComponent(Id)}/json`, stateSchema)
      .catch(unlessGone);
    // It has ended since the list was made.
    if (!found) continue;
    const seconds = ageOf(Date.parse(found.State.StartedAt), now) / 1000;
    const name = plain(Names?.[0]?.replace(/^\//, '') ?? Id.slice(0, 12), 100);
    if (!longest || seconds > longest.seconds) longest = { name, seconds };
  }
  return longest;
}
