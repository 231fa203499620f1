/** Names of containers as somebody types them. Pure. */
import type { Status } from '../daemon/api/messages.js';

/** The first address of a name in the zone, which may have anything before it (`shop.web.docker`); null: it is none. */
export function addressNamed({ names }: Status, said: string): string | null {
  const host = said.toLowerCase().replaceAll('_', '-').replace(/\.$/, '');
  if (!names || !host.endsWith(`.${names.zone}`)) return null;
  const labels = host.slice(0, -names.zone.length - 1).split('.');
  const candidates = labels.map((_, index) => labels.slice(index).join('.'));
  const known = new Map(names.names.map(({ name, addresses }) => [name, addresses[0] ?? null]));
  const found = candidates.find((name) => known.has(name));
  return found === undefined ? null : (known.get(found) ?? null);
}
