/** The daemon's loop over one bundle, made of the product's own parts. */
import { join } from 'node:path';
import type { WorkerRequest } from '../../../daemon/docker-app/bundle-protocol.js';
import { createBundleRoom } from '../../../daemon/docker-app/bundles.js';
import { renderShim } from '../../../daemon/docker-app/shim.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { messageOf } from '../../../daemon/lib/text.js';
import { lookDirectly } from '../../unit/docker-app/look-directly.js';
import { plan } from '../../unit/core/judged.js';
import { config, quietMac, up } from '../../unit/core/worlds.js';

export const shim = renderShim({ device: config.tap.device, mac: config.tap.mac, wait: 0 });

/** When nobody has written a bundle for long; change times cannot be set. */
export const later = Date.parse('2100-01-01');

/**
 * Looks at the bundle in `base`, which has Docker.app and the daemon's state, and does what is to be done until
 * nothing is left or something failed. What failed.
 */
export async function live(options: {
  base: string;
  wanted: Memory['wanted'];
  ask: (request: WorkerRequest) => Promise<unknown>;
}): Promise<readonly string[]> {
  const { base, wanted, ask } = options;
  const room = createBundleRoom({
    ask,
    shim,
    look: lookDirectly,
    systemFolder: base,
    originals: join(base, 'state/originals.json'),
    log: () => undefined,
  });
  for (let round = 0; round < 4; round += 1) {
    const bundles = await room.observe([join(base, 'Docker.app')]);
    const failures: string[] = [];
    const steps = plan(config, { ...quietMac, bundles }, { ...up, wanted });
    for (const step of steps)
      try {
        if (step.kind === 'install-shim') await room.install(step.hyperkit);
        if (step.kind === 'restore-hyperkit') await room.restore(step.hyperkit);
      } catch (error) {
        failures.push(messageOf(error));
      }
    if (steps.length === 0 || failures.length > 0) return failures;
  }
  return ['it never ended'];
}
