/** Which zones containers may have their names in. */

/**
 * Zones of one label that nobody has: not the root of DNS, not macOS. A list of those to refuse would never be complete,
 * since new top-level domains are delegated each year.
 */
const ownLabels = ['docker', 'container', 'containers', 'test', 'home', 'lan', 'corp', 'private', 'intranet'];

/** Multicast DNS (RFC 6762), this very Mac, and what Docker Desktop itself answers for. */
const othersLabels = ['local', 'localhost', 'localdomain', 'invalid', 'onion', 'arpa'];
const dockersOwn = 'docker.internal';

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What a zone has to be, for people. */
export const allowedZone = `a zone of your own in lower case: two labels or more, like docker.test, or one of ${ownLabels.join(', ')}`;

/** Whether containers may have names in this zone: whatever it holds, this Mac asks nobody else for. */
export function isOwnZone(zone: string): boolean {
  const labels = zone.split('.');
  const last = labels.at(-1) ?? '';
  if (zone.length > 100 || !labels.every((each) => label.test(each)) || /^\d+$/.test(last)) return false;
  if (othersLabels.includes(last) || zone === dockersOwn || zone.endsWith(`.${dockersOwn}`)) return false;
  return labels.length > 1 || ownLabels.includes(zone);
}
