import { configuredTap } from './configured-tap.js';
import type { Io } from './io.js';
import { signsFor } from './signs.js';
import type { View } from './status-view.js';
import { painter, widthOf } from './terminal.js';

/** How a status is shown on this terminal; a function, since a terminal changes its width and time goes on. */
export async function viewOn(io: Io, { verbose = false }: { verbose?: boolean }): Promise<() => View> {
  const tap = await configuredTap(io);
  return () => ({
    now: io.now(),
    width: widthOf(io.stdout),
    paint: painter(io, io.stdout),
    signs: signsFor(io, io.stdout),
    verbose,
    tap,
  });
}
