/**
 * macOS 13 and newer let no changed app start that was never started as it was signed (Gatekeeper checks a notarized
 * app at its first launch, also without quarantine). So there the shim waits for a first process of a new bundle. Pure.
 */
import type { Bundle, Observation } from '../observation.js';

/** At the first launch macOS marks the bundle, so it may seem to have arrived just after its process began. */
const launchMark = 10_000;

/** Bundles, by their identity, of which a process is there now. */
export const launchedNow = ({ bundles, docker }: Observation): string[] => {
  if (!bundles.known || !docker.known) return [];
  const { withHyperkit, replacing } = bundles.value;
  return withHyperkit.flatMap(({ app, identity, arrived }) =>
    identity !== null &&
    !replacing.some((other) => other.app === app) &&
    // An older process at the same path is of the bundle that was there before.
    docker.value.some(
      (process) => process.app === app && Date.parse(process.startedAt) + launchMark >= arrived,
    )
      ? [identity]
      : [],
  );
};

/** Whether this bundle, still as Docker signed it, has to be started once before it may be changed. */
export function awaitsLaunch(
  { macos }: Observation,
  launched: readonly string[],
  { target, identity }: Bundle,
): boolean {
  if (target.kind !== 'mach-o' || (macos.known && macos.value.major < 13)) return false;
  return identity === null || !launched.includes(identity);
}
