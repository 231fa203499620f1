/** Networks and rows of routing tables, of either family, by their texts. */
import type { Route } from '../../../daemon/core/observation.js';
import { parseAddress, parsePrefix, type Prefix } from '../../../daemon/lib/prefix.js';

/** What the text of a network means. Throws on text that means none. */
export function net(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!prefix) throw new Error(`${text} is no network`);
  return prefix;
}

/** A row of the routing table as netstat prints it. */
export const route = ({
  destination,
  ...row
}: Omit<Route, 'destination' | 'via'> & { destination: string }): Route => ({
  ...row,
  destination: net(destination),
  via: parseAddress(row.gateway),
});
