/** What others have on this Mac: found once a pass, for the link's own network and for every subnet. Pure. */
import type { Link } from '../link/link.js';
import { type Observation, valueOf } from '../observation.js';
import { type ProtectedAddress, protectedAddresses } from './guard.js';
import { type Claim, claimsIn } from './table.js';

export interface Others {
  readonly claims: readonly Claim[];
  readonly addresses: readonly ProtectedAddress[];
}

/** What rows and resolvers say of them; nothing while the table is not known. */
export function othersOn(
  link: Link | null,
  { routes, resolvers }: Pick<Observation, 'routes' | 'resolvers'>,
): Others {
  const table = valueOf(routes);
  if (!table) return { claims: [], addresses: [] };
  return {
    claims: claimsIn(link, table),
    addresses: protectedAddresses(link, table, valueOf(resolvers) ?? []),
  };
}
