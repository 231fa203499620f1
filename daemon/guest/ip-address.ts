/** Addresses of both families between text and bytes. Pure. */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

export type Family = 4 | 6;

/** The text of 4 or 16 bytes in its usual form (RFC 5952); null for any other number of bytes. */
export function formatAddress(bytes: Buffer): string | null {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return null;
  const groups = (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
  return new SocketAddress({ address: groups, family: 'ipv6' }).address;
}

const groupsOf = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((group) => {
        if (!group.includes('.')) return [Number.parseInt(group, 16)];
        const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
        return [a * 256 + b, c * 256 + d];
      });

/** Family and bytes of an address without a zone; null when it is none. */
export function parseAddress(text: string): { readonly family: Family; readonly bytes: Buffer } | null {
  if (isIPv4(text)) return { family: 4, bytes: Buffer.from(text.split('.').map(Number)) };
  if (!isIPv6(text) || text.includes('%')) return null;
  const [head = '', tail] = text.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const bytes = Buffer.alloc(16);
  before.forEach((group, index) => bytes.writeUInt16BE(group, index * 2));
  after.forEach((group, index) => bytes.writeUInt16BE(group, (8 - after.length + index) * 2));
  return { family: 6, bytes };
}
