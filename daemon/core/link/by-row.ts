import type { Route } from '../observation.js';
import { rowOfLink } from '../routes/table.js';
import { isConnected, type LinkState } from './link.js';

/** How it stands with a link that has its addresses, by the connected row of its network in the table of its family. Pure. */
export function byRow(
  there: Omit<Extract<LinkState, { kind: 'up' }>, 'kind'>,
  table: readonly Route[],
): LinkState {
  const row = rowOfLink(there.link, table);
  if (!row) return { ...there, kind: 'present', lacks: 'row' };
  return isConnected(there.link, row)
    ? { ...there, kind: 'up' }
    : { ...there, kind: 'present', lacks: 'network', row };
}
