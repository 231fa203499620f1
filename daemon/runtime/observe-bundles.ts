import type { Config } from '../../config/schema.js';
import type { BundleRoom } from '../docker-app/bundles.js';
import { appsThere, claimedApps, usualApps } from '../core/learning.js';
import type { Bundles, ConsoleUser, Seen } from '../core/observation.js';

/**
 * What lies in the Docker.apps of a Mac: in the usual places, where hyperkit was put aside, where one was `remembered`,
 * and where processes of the user in front say that they run. `places`: where one is or may come to be.
 */
export async function observeBundles(parts: {
  config: Config;
  user: ConsoleUser | null;
  remembered: readonly string[];
  running: readonly string[];
  bundles: Pick<BundleRoom, 'observe' | 'touched'>;
}): Promise<{ found: Seen<Bundles>; places: readonly string[] }> {
  const { config, user, remembered, running, bundles } = parts;
  const usual = usualApps(config, user);
  const touched = await bundles.touched();
  const places = [...new Set([...usual, ...touched])];
  const claimed = [...touched, ...claimedApps(places, remembered, running)];
  const found = await bundles.observe(usual, { apps: claimed, uid: user?.uid ?? null });
  const there = found.known ? appsThere(found.value) : [];
  return { found, places: [...new Set([...places, ...there])] };
}
