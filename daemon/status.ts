/** What `tuntapctl status` is told: a view of what was seen and judged. Pure. */
import { version } from '../config/version.js';
import type { Finding, Phase } from './conditions.js';
import type { Condition, Status } from './control/messages.js';
import type { Observation } from './observation.js';
import type { RouteVerdict } from './routing.js';

/** Findings with the moment since when each is what it is: `now`, unless it was so before. */
export const datedConditions = (
  findings: readonly Finding[],
  before: readonly Condition[],
  now: string,
): readonly Condition[] =>
  findings.map((finding) => {
    const known = before.find(({ type }) => type === finding.type);
    const same = known?.status === finding.status && known.reason === finding.reason;
    return { ...finding, since: same ? known.since : now };
  });

/** Whoever could not be asked is left out, rather than said to be absent. */
export function statusOf(parts: {
  pid: number;
  since: string;
  phase: Phase;
  conditions: readonly Condition[];
  routes: readonly RouteVerdict[];
  observation: Observation;
}): Status {
  const { observation, ...judged } = parts;
  const { vm, engine, bundles } = observation;
  return {
    version,
    ...judged,
    ...(vm.known ? { vm: vm.value } : {}),
    ...(engine.known
      ? {
          engine: engine.value && {
            version: engine.value.version,
            networks: engine.value.networks.length,
          },
        }
      : {}),
    ...(bundles.known
      ? {
          bundles: bundles.value.withHyperkit.map(
            ({ app, hyperkit, version: release, target, original, saved }) => ({
              app,
              hyperkit,
              version: release,
              target: target.kind,
              original: original.kind,
              saved,
            }),
          ),
        }
      : {}),
  };
}
