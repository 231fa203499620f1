/** The DNS configuration of a Mac, as configd makes it of the network in use and of the files in /etc/resolver. Pure. */
import type { FileResolver } from './resolver-files.js';

export interface DnsResolver {
  /** Null: of all that no other resolver has. */
  readonly domain: string | null;
  readonly nameservers: readonly string[];
  readonly port: number | null;
  /** Seconds. */
  readonly timeout: number | null;
  /** Multicast DNS, which has no server. */
  readonly isMulticast: boolean;
  /** Which records are asked for; none where the Mac has no network. */
  readonly records: { readonly a: boolean; readonly aaaa: boolean };
  readonly order: number;
  readonly interface: { readonly index: number; readonly name: string } | null;
}

/** Whom DHCP or a VPN named as servers, and by which interface. */
export interface NetworkService {
  readonly servers: readonly string[];
  readonly interface: { readonly index: number; readonly name: string } | null;
  /** Whether any network can be used: this Mac has IPv4 alone. */
  readonly isOnline: boolean;
}

/** Where a Mac asks by multicast, and the order of each (configd, dns-configuration.c). */
const multicast = [
  ['local', 300_000],
  ['254.169.in-addr.arpa', 300_200],
  ['8.e.f.ip6.arpa', 300_400],
  ['9.e.f.ip6.arpa', 300_600],
  ['a.e.f.ip6.arpa', 300_800],
  ['b.e.f.ip6.arpa', 301_000],
] as const;

/** `port 5353` and a missing server make a multicast resolver of a file (mDNSMacOSX.c). */
const isMulticastFile = ({ nameservers, port }: FileResolver): boolean =>
  nameservers.length === 0 || port === 5353;

/** All resolvers, in the order in which `scutil --dns` has them; none where nobody named one. */
export function dnsConfiguration(
  { servers, interface: by, isOnline }: NetworkService,
  files: readonly FileResolver[],
): readonly DnsResolver[] {
  if (servers.length === 0 && files.length === 0) return [];
  const ofNetwork = { a: isOnline, aaaa: false };
  const usual = {
    port: null,
    timeout: null,
    isMulticast: false,
    records: ofNetwork,
    order: 0,
    interface: by,
  };
  return [
    ...(servers.length === 0 ? [] : [{ ...usual, domain: null, nameservers: servers }]),
    ...multicast.map(([domain, order]) => ({
      ...usual,
      domain,
      nameservers: [],
      timeout: 5,
      isMulticast: true,
      order,
      interface: null,
    })),
    ...files.map((file) => ({
      ...usual,
      domain: file.domain,
      nameservers: file.nameservers,
      port: file.port,
      timeout: file.timeout,
      isMulticast: isMulticastFile(file),
      // Without a line of its own it has what the network has, hence nothing without one.
      records: file.flags ? { a: file.flags.includes('a'), aaaa: file.flags.includes('aaaa') } : ofNetwork,
      order: file.order,
      interface: null,
    })),
  ];
}

const depth = ({ domain }: DnsResolver): number => (domain === null ? 0 : domain.split('.').length);

/** Who is asked for a name: the longest suffix, and of several for the same the lowest order; null: nobody. */
export function resolverFor(resolvers: readonly DnsResolver[], name: string): DnsResolver | null {
  const lower = name.toLowerCase();
  const fitting = resolvers.filter(
    ({ domain }) =>
      domain === null || lower === domain.toLowerCase() || lower.endsWith(`.${domain.toLowerCase()}`),
  );
  const [first = null] = fitting.toSorted(
    (one, other) => depth(other) - depth(one) || one.order - other.order,
  );
  return first;
}
