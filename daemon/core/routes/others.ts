/** What others have on this Mac: found once a pass, for the link's own network and for every subnet. Pure. */
import type { Link } from '../link/link.js';
import { type Observation, valueOf } from '../observation.js';
import { type ProtectedAddress, protectedAddresses } from './guard.js';
import { asJournalled, type Claim, claimsIn, type OwnedRoute } from './table.js';

export interface Others {
  readonly claims: readonly Claim[];
  readonly addresses: readonly ProtectedAddress[];
}

/**
 * What rows and resolvers say of them; nothing while the table is not known. `owned`: the routes that the journal calls
 * ours, by which their rows are told from others' where they do not lead to the link as it is now, or nobody knows it.
 */
export function othersOn(
  link: Link | null,
  { routes, resolvers }: Pick<Observation, 'routes' | 'resolvers'>,
  owned: readonly OwnedRoute[] = [],
): Others {
  const table = valueOf(routes);
  if (!table) return { claims: [], addresses: [] };
  const isOurs = asJournalled(owned);
  const theirs = table.filter((row) => !isOurs(row));
  return {
    claims: claimsIn(link, theirs),
    addresses: protectedAddresses(link, theirs, valueOf(resolvers) ?? []),
  };
}
