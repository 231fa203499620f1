/** Names of containers as somebody types them. Pure. */
import type { Status } from '../daemon/api/messages.js';
import { folded } from '../daemon/lib/host-name.js';

/** Whether macOS finds the names that there are. */
export const areNamesFound = ({ conditions }: Status): boolean =>
  conditions.some(({ type, status }) => type === 'Names' && status === 'True');

/** The first address of a name in the zone, which may have anything before it (`shop.web.docker`); null: it is none. */
export function addressNamed({ names }: Status, said: string): string | null {
  const host = folded(said).replace(/\.$/, '');
  if (!names || !host.endsWith(`.${names.zone}`) || !/^[a-z0-9.-]+$/.test(host)) return null;
  const labels = host.slice(0, -names.zone.length - 1).split('.');
  const known = new Map(names.names.map(({ name, addresses }) => [name, addresses[0] ?? null]));
  const found = labels.map((_, index) => labels.slice(index).join('.')).find((name) => known.has(name));
  return found === undefined ? null : (known.get(found) ?? null);
}
