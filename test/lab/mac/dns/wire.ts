/**
 * Questions and answers of DNS as bytes (RFC 1035), as much of it as mDNSResponder needs. The lab's own, so that what the
 * product sends is not read by the very library that wrote it.
 */
import type { RecordType, Reply } from './cache.js';

const types = { A: 1, AAAA: 28, SOA: 6 } as const;

/** A question that wants recursion, without EDNS. */
export function question(id: number, name: string, type: RecordType): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)]));
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, types[type], 0, 1])]);
}

/** Whether a name can be asked for. */
export const isName = (name: string): boolean =>
  name.length <= 253 && name.split('.').every((label) => label !== '' && Buffer.byteLength(label) <= 63);

/** Where a name ends, in which a pointer is the last of it. Throws RangeError beyond the packet. */
function afterName(packet: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const length = packet.readUInt8(at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
  }
}

const inGroups = (bytes: Buffer): string =>
  Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':');

interface Answered {
  readonly what: 'records';
  readonly reply: Reply;
}

/**
 * What is said in answer to this very question: records or their absence, that it is too long for UDP, or that the
 * server can't (REFUSED, SERVFAIL). Null for what is no answer to it, or for a packet that makes no sense.
 */
export function answerIn(
  packet: Buffer,
  asked: Buffer,
  type: RecordType,
): Answered | { readonly what: 'cut' | 'failure' } | null {
  try {
    const flags = packet.readUInt16BE(2);
    const end = asked.length;
    const isOurs =
      packet.readUInt16BE(0) === asked.readUInt16BE(0) &&
      (flags & 0x8000) !== 0 &&
      packet.readUInt16BE(4) === 1 &&
      packet.subarray(12, end).equals(asked.subarray(12));
    if (!isOurs) return null;
    if ((flags & 0x0200) !== 0) return { what: 'cut' };
    const rcode = flags & 15;
    if (rcode !== 0 && rcode !== 3) return { what: 'failure' };
    const addresses: string[] = [];
    const ttls: number[] = [];
    const records = packet.readUInt16BE(6) + packet.readUInt16BE(8);
    for (let at = end, count = 0; count < records; count += 1) {
      at = afterName(packet, at);
      const [kind, size] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 8)];
      const ttl = packet.readUInt32BE(at + 4);
      const data = packet.subarray(at + 10, at + 10 + size);
      if (data.length !== size) return null;
      at += 10 + size;
      if (kind === types[type]) {
        addresses.push(type === 'A' ? data.join('.') : inGroups(data));
        ttls.push(ttl);
      } else if (kind === types.SOA) ttls.push(Math.min(ttl, data.readUInt32BE(size - 4)));
    }
    return { what: 'records', reply: { addresses, ttl: ttls.length === 0 ? 0 : Math.min(...ttls) } };
  } catch {
    return null;
  }
}
