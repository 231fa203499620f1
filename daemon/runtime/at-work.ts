import { type Observation, seen, unknown } from '../core/observation.js';
import { forbidsRestart } from '../core/docker/restart-verdict.js';
import { messageOf } from '../lib/text.js';

type Containers = NonNullable<Observation['userContainer']>;
type Longest = { readonly name: string; readonly seconds: number } | null;

/**
 * Asks which container of the user's runs longest, since a restart that follows at once depends on it. That somebody
 * is at work is asked once an occasion, as nothing of the engine's is polled; that nobody is may be otherwise a moment
 * later, so it is never remembered.
 */
export function createAtWork(ask: () => Promise<Longest>): (occasion: string) => Promise<Containers> {
  let known: { occasion: string; answer: Containers } | null = null;
  return async (occasion) => {
    if (known?.occasion === occasion) return known.answer;
    const answer = await ask().then(seen, (error: unknown) =>
      unknown(`Docker Engine does not tell whether a container is at work: ${messageOf(error)}`),
    );
    known = forbidsRestart(answer) ? { occasion, answer } : null;
    return answer;
  };
}
