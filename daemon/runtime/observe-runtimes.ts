import type { Config } from '../../config/schema.js';
import { needsContext } from '../core/docker/runtime.js';
import { type ConsoleUser, type Runtimes, unknown } from '../core/observation.js';
import type { Contexts } from '../guest/contexts.js';

/**
 * What there is to choose from, with docker's context where the choice hangs on it; undefined where Docker Desktop is all
 * there is, and nothing else is asked for.
 */
export async function observeRuntimes(parts: {
  config: Config;
  user: ConsoleUser | null;
  desktop: Runtimes['desktop'];
  machines: Runtimes['machines'];
  contexts: Pick<Contexts, 'read'>;
}): Promise<Runtimes | undefined> {
  const { config, user, desktop, machines, contexts } = parts;
  const { context: wanted } = config.docker;
  if (!user || (wanted === 'auto' && machines.length === 0)) return undefined;
  const ids = [desktop.vm, ...machines.map(({ vm }) => vm)].map((vm) => vm?.id ?? '').join(' ');
  const context = needsContext(config, { desktop, machines })
    ? await contexts.read(user, wanted === 'auto' ? null : wanted, ids)
    : unknown('nothing hangs on it');
  return { desktop, machines, context };
}
