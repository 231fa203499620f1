import { parseAddress } from './ip-address.js';

const broadcast = Buffer.alloc(6, 0xff);

/**
 * An ARP request (RFC 826) with its Ethernet header, which asks everybody for `target` on behalf of `mac` and `sender`.
 * Throws RangeError when an address is none.
 */
export function arpRequest({
  mac,
  sender,
  target,
}: {
  readonly mac: string;
  readonly sender: string;
  readonly target: string;
}): Buffer {
  const own = Buffer.from(mac.replaceAll(':', ''), 'hex');
  const [from, to] = [sender, target].map(parseAddress);
  if (own.length !== 6 || from?.family !== 4 || to?.family !== 4)
    throw new RangeError(`no ARP request can be made of ${mac}, ${sender} and ${target}`);
  // Ethernet 1, IPv4, lengths 6 and 4, request.
  const kind = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]);
  return Buffer.concat([
    broadcast,
    own,
    Buffer.from([0x08, 0x06]),
    kind,
    own,
    from.bytes,
    Buffer.alloc(6),
    to.bytes,
  ]);
}
