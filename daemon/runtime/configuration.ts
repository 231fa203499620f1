import { isDeepStrictEqual } from 'node:util';
import type { Followed } from '../../config/follow.js';
import type { Config } from '../../config/schema.js';
import type { Configuration } from '../core/observation.js';

/** Looks at the configuration file: what is new about it, or null. */
export type LookAtConfig = () => Promise<Followed | null>;

/** What the configuration file says, beside the configuration that is in force. */
interface KeptConfiguration {
  readonly now: () => Configuration;
  /** Looks at the file once. Throws what `look` throws. */
  readonly look: () => Promise<void>;
  /** Resolves when the file says something else than what is in force. */
  readonly reconfigured: Promise<Config>;
}

/**
 * Keeps what the file says while `config` is in force, or only its defaults: then `problem` says why. `onProblem` is
 * told when there is another problem than before, or none any more.
 */
export function keepConfiguration(options: {
  readonly config: Config;
  readonly problem: string | null;
  readonly look: LookAtConfig;
  readonly onProblem: () => void;
}): KeptConfiguration {
  const inForce = options.problem === null;
  let problem = options.problem;
  let reconfigure: (config: Config) => void = () => undefined;
  const reconfigured = new Promise<Config>((resolve) => {
    reconfigure = resolve;
  });
  return {
    now: () => ({ problem, inForce }),
    look: async () => {
      const found = await options.look();
      if (!found) return;
      const before = problem;
      problem = 'problem' in found ? found.problem : null;
      if ('config' in found && !(inForce && isDeepStrictEqual(found.config, options.config)))
        reconfigure(found.config);
      else if (problem !== before) options.onProblem();
    },
    reconfigured,
  };
}
