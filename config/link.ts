import { contains, isSpecial6, parseAddress, parsePrefix, type Prefix } from '../daemon/lib/prefix.js';

const toNumber = (address: string): number =>
  address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);

const toText = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');

/** Ranges that are no network of hosts: "this network", loopback, multicast and what is reserved above it. */
const isUnusable = (address: string): boolean => {
  const first = Number(address.split('.')[0]);
  return first === 0 || first === 127 || first >= 224;
};

/** The network of an end of the link, as CIDR. */
export function networkOf({ address, prefix }: { address: string; prefix: number }): string {
  const text = `${address}/${prefix}`;
  return parsePrefix(text)?.text ?? text;
}

/** What is wrong, as the key to blame and what is allowed there. */
interface LinkProblem {
  readonly key: 'address' | 'peer';
  readonly message: string;
}

/** What is wrong with the two ends of the link; null when nothing is. */
export function linkProblem(tap: {
  readonly address: string;
  readonly peer: string;
  readonly prefix: number;
}): LinkProblem | null {
  const size = 2 ** (32 - tap.prefix);
  const networkOf = (address: string): number => Math.floor(toNumber(address) / size) * size;
  const isHost = (address: string): boolean => {
    const offset = toNumber(address) - networkOf(address);
    return offset > 0 && offset < size - 1;
  };
  const network = networkOf(tap.address);
  const hosts = `${toText(network + 1)} to ${toText(network + size - 2)}`;
  if (isUnusable(tap.address)) return { key: 'address', message: 'an address that a host can have' };
  if (!isHost(tap.address))
    return {
      key: 'address',
      message: `a host of ${toText(network)}/${tap.prefix}, not its network or broadcast address: ${hosts}`,
    };
  if (tap.peer === tap.address)
    return { key: 'peer', message: `another address than tap.address: one of ${hosts}` };
  if (networkOf(tap.peer) !== network || !isHost(tap.peer))
    return {
      key: 'peer',
      message: `a host of the same network as tap.address (${tap.address}/${tap.prefix}): ${hosts}`,
    };
  return null;
}

/** What is wrong with the two ends of the link by IPv6; null when nothing is. */
export function link6Problem(ipv6: {
  readonly address: string;
  readonly peer: string;
  readonly prefix: number;
}): LinkProblem | null {
  const network = parsePrefix(`${ipv6.address}/${ipv6.prefix}`);
  const [address, peer] = [parseAddress(ipv6.address), parseAddress(ipv6.peer)];
  if (!network || !address || isSpecial6(address))
    return { key: 'address', message: 'an address that a host can have beyond its own wire' };
  // Of a network's addresses the first is every router's (RFC 4291, 2.6.1).
  const isFirst = (each: Prefix): boolean => !each.bits.slice(ipv6.prefix).includes('1');
  if (isFirst(address))
    return { key: 'address', message: `another address than the first of ${network.text}` };
  if (!peer || !contains(network, peer) || isFirst(peer) || peer.bits === address.bits)
    return {
      key: 'peer',
      message: `another address of ipv6.address’s network ${network.text}, and not its first`,
    };
  return null;
}
