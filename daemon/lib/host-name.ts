/** Names as DNS has them, below a zone. Pure. */

/** RFC 1035: octets of a label, and of a whole name as text. */
const maxLabel = 63;
const maxName = 253;

/** Letters, digits and hyphens, which neither begin nor end it (RFC 1123, 2.1). */
const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** How a name is compared: case means nothing in DNS, and `_`, which many programs refuse in a host's name, is a `-`. */
export const folded = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/** Why this folded name can be none below the zone, as the rest of a sentence; null: it can. */
export function unusable(name: string, zone: string): string | null {
  const labels = name.split('.');
  if (labels.some((each) => each.length > maxLabel))
    return `has a part of more than ${maxLabel} characters, which DNS does not allow`;
  if (!labels.every((each) => label.test(each)))
    return 'has a part that is not made of letters, digits and hyphens between them';
  if (name.length + 1 + zone.length > maxName)
    return `would be longer than DNS’s ${maxName} characters with its zone`;
  return null;
}
