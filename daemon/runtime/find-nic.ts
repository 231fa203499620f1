import { candidatesOf, findNic, type NicSearch } from '../core/link/nic.js';
import type { GuestNic, Neighbour } from '../core/observation.js';
import { type FindNic, StepError } from '../core/steps.js';

/** More addresses of a VM on bridges of the Mac than anybody has. */
const maxCandidates = 8;

/**
 * Looks for the NIC of a VM that is on a bridge of the Mac: what the VM has, and whom the Mac knows there once it has
 * been spoken to. Resolves to what was seen; rejects with StepError when that is no NIC, after `remember`.
 */
export async function searchNic(
  { vm, generation, bridges }: Pick<FindNic, 'vm' | 'generation' | 'bridges'>,
  parts: {
    lookIntoGuest: () => Promise<readonly GuestNic[]>;
    /** Has the Mac ask for this address by ARP: whether anybody answers does not matter. */
    speakTo: (address: string, from: string) => Promise<unknown>;
    neighboursAt: (address: string) => Promise<readonly Neighbour[]>;
    remember: (search: NicSearch) => Promise<void>;
  },
): Promise<void> {
  const nics = await parts.lookIntoGuest();
  const neighbours = await Promise.all(
    candidatesOf(bridges, nics)
      .slice(0, maxCandidates)
      .map(async ({ address, bridge }) => {
        await parts.speakTo(address, bridge.address);
        return parts.neighboursAt(address);
      }),
  );
  const search = { vm, generation, bridges, nics, neighbours: neighbours.flat() };
  await parts.remember(search);
  const found = findNic(bridges, search);
  if (found.kind === 'none')
    throw new StepError(found.why, {
      condition: 'TapAttached',
      reason: found.reason,
      blocked: found.isFinal,
      once: found.isFinal,
    });
}
