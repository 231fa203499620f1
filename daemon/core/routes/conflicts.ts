/**
 * What a route of ours would take from the routes of others, by the rule that the longest prefix wins. Pure.
 *
 *     theirs is the same prefix    the kernel keeps one: `File exists`, whatever the gateway
 *     theirs is less specific      ours would win, and shadow a part of theirs
 *     theirs is more specific      theirs would win, but ours would claim the rest around it
 */
import { contains, overlaps, type Prefix } from '../../lib/prefix.js';
import { type Claim, told } from './table.js';

export interface Conflict {
  readonly relation: 'same' | 'less-specific' | 'more-specific';
  readonly claim: Claim;
}

const relationOf = (subnet: Prefix, { range }: Claim): Conflict['relation'] =>
  range.bits.length === subnet.bits.length
    ? 'same'
    : range.bits.length < subnet.bits.length
      ? 'less-specific'
      : 'more-specific';

/** The claim that decides over a subnet: the same prefix, else the narrowest around it, else the widest within; or null. */
export function conflictOf(subnet: Prefix, claims: readonly Claim[]): Conflict | null {
  let best: Claim | null = null;
  for (const claim of claims) {
    if (!overlaps(claim.range, subnet)) continue;
    if (best === null) best = claim;
    else if (contains(claim.range, subnet)) {
      if (!contains(best.range, subnet) || claim.range.bits.length > best.range.bits.length) best = claim;
    } else if (!contains(best.range, subnet) && claim.range.bits.length < best.range.bits.length)
      best = claim;
  }
  return best && { relation: relationOf(subnet, best), claim: best };
}

const means: Readonly<Record<Conflict['relation'], string>> = {
  same: 'the kernel keeps one route of a prefix, so this cannot be forced',
  'less-specific': 'ours would win and cut the subnet out of theirs',
  'more-specific': 'it would keep working, but ours would claim the addresses around it',
};

/** What a person can always do about it. */
export const anotherSubnet =
  'Give the Docker network another subnet (docker network create --subnet …, or default-address-pools in Docker’s ' +
  'settings)';

/** For people: whose route it is, what ours would do to it, and the ways out. */
export function explain({ relation, claim }: Conflict): string {
  // It does for every Docker network what tuntapd does, so that another subnet would only be its as well.
  if (claim.vpn === 'docker-mac-net-connect')
    return (
      `this Mac already has ${told(claim)}, which routes Docker’s networks too: end it ` +
      '(`sudo brew services stop docker-mac-net-connect`) to have tuntapd do so'
    );
  const force = relation === 'same' ? 'take that route away' : 'list the subnet in routes.force';
  return `this Mac already has ${told(claim)}: ${means[relation]}. ${anotherSubnet}, or ${force}`;
}
