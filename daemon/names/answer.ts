/** What is answered to a packet. Pure: bytes in, bytes out. */
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  type OptAnswer,
  type Packet,
  type Question,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { find, type NamesTable } from './table.js';

const headerBytes = 12;
/** Bytes of a query: no resolver asks in more, and decoding costs with length. */
export const maxQuery = 512;
/** Bytes of an answer over UDP, where the client can take them (DNS flag day 2020). */
const maxUdp = 1232;
const minUdp = 512;
/** Seconds for which an answer may be kept; macOS makes 15 of it (mDNSCore). */
const ttl = 5;

/** RFC 1035, 4.1.1. */
const formatError = 1;
const noSuchName = 3;
const notImplemented = 4;
const refused = 5;
/** RFC 6891, of which a header has the lower four bits. */
const badVersionUpper = 1;

const classIn = 1;
const classAny = 255;

type Transport = 'udp' | 'tcp';

/** An answer of the header alone. */
function bare(packet: Buffer, rcode: number): Buffer {
  const opcodeAndRd = packet.readUInt16BE(2) & 0x7900;
  const answer = Buffer.alloc(headerBytes);
  answer.writeUInt16BE(packet.readUInt16BE(0), 0);
  answer.writeUInt16BE(0x8000 | opcodeAndRd | rcode, 2);
  return answer;
}

/**
 * Where the only question's name ends; null for what is no whole question, or has anything but visible ASCII in its
 * labels, of which dns-packet would make another name.
 */
function endOfName(packet: Buffer): number | null {
  let at = headerBytes;
  while (at - headerBytes < 255) {
    const length = packet[at];
    if (length === undefined || length > 63) return null;
    if (length === 0) return at + 5 <= packet.length ? at + 1 : null;
    for (const byte of packet.subarray(at + 1, at + 1 + length))
      if (byte <= 0x20 || byte >= 0x7f || byte === 0x2e) return null;
    at += 1 + length;
  }
  return null;
}

function decoded(packet: Buffer): DecodedPacket | null {
  try {
    return decode(packet);
  } catch {
    return null;
  }
}

const soaOf = ({ zone }: NamesTable): Answer => ({
  type: 'SOA',
  name: zone,
  ttl,
  data: {
    mname: 'localhost',
    rname: 'nobody.invalid',
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: ttl,
  },
});

type Content = Pick<Packet, 'answers' | 'authorities'> & { readonly rcode?: number };

const isIpv6 = (address: string): boolean => address.includes(':');

function hostAnswers({ name, type }: Question, addresses: readonly string[]): Answer[] {
  const asked = type as string;
  const first = addresses.some((address) => !isIpv6(address)) ? 'A' : 'AAAA';
  // Of ANY one kind alone (RFC 8482).
  const wanted = asked === 'ANY' ? first : asked;
  return addresses
    .filter((address) => wanted === (isIpv6(address) ? 'AAAA' : 'A'))
    .map((data) => ({ type: isIpv6(data) ? 'AAAA' : 'A', name, ttl, data }));
}

function apexAnswers(table: NamesTable, type: string): Answer[] {
  if (type === 'SOA' || type === 'ANY') return [soaOf(table)];
  return type === 'NS' ? [{ type: 'NS', name: table.zone, ttl, data: 'localhost' }] : [];
}

/** Of a name that is there, but has nothing of that type, the SOA alone is told. */
const answered = (answers: Answer[], authorities: Answer[]): Content =>
  answers.length > 0 ? { answers } : { authorities };

/** What is said of a question; null is nothing at all: what is not known is not denied, since a denial is kept for minutes. */
function contentOf(table: NamesTable, question: Question): Content | null {
  const type = question.type as string;
  if (type === 'AXFR' || type === 'IXFR') return { rcode: refused };
  const found = find(table, question.name);
  const authorities = [soaOf(table)];
  switch (found.kind) {
    case 'outside':
      return { rcode: refused };
    case 'absent':
      return table.isCurrent ? { rcode: noSuchName, authorities } : null;
    case 'parent':
      return { authorities };
    case 'apex':
      return answered(apexAnswers(table, type), authorities);
    case 'host':
      return answered(hostAnswers(question, found.addresses), authorities);
  }
}

/** The client's own, answered with ours. */
const optIn = ({ additionals = [] }: Packet): OptAnswer | null =>
  additionals.find((record) => record.type === 'OPT') ?? null;

const ownOpt = (extendedRcode: number): OptAnswer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize: maxUdp,
  extendedRcode,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
});

/** What was asked about the zone. */
export interface Asked {
  readonly name: string;
  readonly type: string;
}

export interface Reply {
  /** Null: nothing is to be said. */
  readonly bytes: Buffer | null;
  /** Null for what is no question about the zone. */
  readonly asked: Asked | null;
}

const silent: Reply = { bytes: null, asked: null };

/**
 * The answer to a packet from this zone alone; bytes of at most 1232 over UDP and 64 KiB over TCP. Silence for what is no
 * query, and about names of which nobody knows yet. Never throws, whatever the packet is.
 */
export function answerTo(packet: Buffer, table: NamesTable, transport: Transport): Reply {
  if (packet.length < headerBytes || packet.length > maxQuery) return silent;
  const flags = packet.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return silent;
  if ((flags & 0x7800) !== 0) return { bytes: bare(packet, notImplemented), asked: null };
  const malformed: Reply = { bytes: bare(packet, formatError), asked: null };
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => packet.readUInt16BE(at));
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > 2) return malformed;
  const end = endOfName(packet);
  if (end === null) return malformed;
  const query = decoded(packet);
  const question = query?.questions?.[0];
  if (!query || !question) return malformed;
  const questionClass = packet.readUInt16BE(end + 2);
  const opt = optIn(query);
  const respond = (content: Content, extendedRcode = 0): Buffer =>
    encode({
      type: 'response',
      id: packet.readUInt16BE(0),
      flags:
        (content.rcode === refused ? 0 : AUTHORITATIVE_ANSWER) |
        (flags & RECURSION_DESIRED) |
        (content.rcode ?? 0),
      questions: [question],
      answers: content.answers ?? [],
      authorities: content.authorities ?? [],
      additionals: opt ? [ownOpt(extendedRcode)] : [],
    });
  // It has no such class to echo.
  if (questionClass !== classIn && questionClass !== classAny)
    return { bytes: bare(packet, refused), asked: null };
  if (opt && opt.ednsVersion !== 0) return { bytes: respond({}, badVersionUpper), asked: null };
  const content = contentOf(table, question);
  const asked =
    content?.rcode === refused ? null : { name: question.name.toLowerCase(), type: question.type as string };
  if (!content) return { bytes: null, asked };
  const bytes = respond(content);
  const limit = opt ? Math.min(maxUdp, Math.max(minUdp, opt.udpPayloadSize)) : minUdp;
  if (transport === 'tcp' || bytes.length <= limit) return { bytes, asked };
  const cut = respond({ rcode: content.rcode ?? 0 });
  cut.writeUInt16BE(cut.readUInt16BE(2) | TRUNCATED_RESPONSE, 2);
  return { bytes: cut, asked };
}
