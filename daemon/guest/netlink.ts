/**
 * Messages of rtnetlink (linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h), for both families of
 * addresses. Pure: values in, bytes out, and back. All numbers are little endian: Docker's VMs are amd64 or arm64.
 */
import { constants } from 'node:os';
import { type Family, formatAddress, parseAddress } from './ip-address.js';

/** The protocol number of rtnetlink for socket(2). */
export const routeProtocol = 0;

const types = {
  error: 2,
  done: 3,
  newLink: 16,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  getRoute: 26,
} as const;
const flags = { request: 0x1, ack: 0x4, dump: 0x300, replace: 0x100, create: 0x400 } as const;
const familyNumber: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };
const isUp = 0x1;

const align = (size: number): number => (size + 3) & ~3;

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(align(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}

function message(type: number, kind: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt16LE(flags.request | kind, 6);
  return Buffer.concat([head, body]);
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** struct ifinfomsg: family:u8 pad:u8 type:u16 index:i32 flags:u32 change:u32 */
function interfaceMessage(index: number, set = 0, change = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(set, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

/** IFA_F_NODAD: usable at once, without asking whether somebody else has it. Of IPv4 nobody asks. */
const addressFlags: Readonly<Record<Family, number>> = { 4: 0, 6: 0x02 };

/** struct ifaddrmsg: family:u8 prefix:u8 flags:u8 scope:u8 index:u32 */
const addressMessage = (family: Family, prefix: number, index: number, set = 0): Buffer =>
  Buffer.concat([Buffer.from([familyNumber[family], prefix, set, 0]), u32(index)]);

/** An address as the kernel keeps it: the interface's index, the address and its prefix. */
export interface InterfaceAddress {
  readonly index: number;
  readonly address: string;
  readonly prefix: number;
}

function addressAttributes(text: string): { family: Family; attributes: Buffer } {
  const parsed = parseAddress(text);
  if (!parsed) throw new RangeError(`${text} is not an address`);
  // IFA_LOCAL and IFA_ADDRESS: of an interface that is no point-to-point link both are its own.
  const attributes = Buffer.concat([attribute(2, parsed.bytes), attribute(1, parsed.bytes)]);
  return { family: parsed.family, attributes };
}

/** Requests to the kernel; each asks for a dump or an acknowledgement, so that its answer has an end. */
export const ask = {
  links: (): Buffer => message(types.getLink, flags.dump, interfaceMessage(0)),
  addresses: (family: Family): Buffer => message(types.getAddress, flags.dump, addressMessage(family, 0, 0)),
  /** struct rtmsg: family and eleven bytes that mean "any". */
  routes: (family: Family): Buffer =>
    message(types.getRoute, flags.dump, Buffer.from([familyNumber[family], ...Array<number>(11).fill(0)])),
  /** Sets MTU and "up", and leaves everything else as it is. */
  bringUp: (index: number, mtu: number): Buffer =>
    message(types.newLink, flags.ack, interfaceMessage(index, isUp, isUp), attribute(4, u32(mtu))),
  takeDown: (index: number): Buffer => message(types.newLink, flags.ack, interfaceMessage(index, 0, isUp)),
  /** Sets an address, usable at once; one that is there already stays. Throws RangeError when it is no address. */
  addAddress: ({ index, address, prefix }: InterfaceAddress): Buffer => {
    const { family, attributes } = addressAttributes(address);
    return message(
      types.newAddress,
      flags.ack | flags.create | flags.replace,
      addressMessage(family, prefix, index, addressFlags[family]),
      attributes,
    );
  },
  /** Takes an address away. Throws RangeError when it is no address. */
  removeAddress: ({ index, address, prefix }: InterfaceAddress): Buffer => {
    const { family, attributes } = addressAttributes(address);
    const head = addressMessage(family, prefix, index, addressFlags[family]);
    return message(types.deleteAddress, flags.ack, head, attributes);
  },
} as const;

/** What the kernel refused, by its name for it. */
export class NetlinkError extends Error {
  readonly code: string;
  constructor(errno: number) {
    const code =
      Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
    super(`the VM’s kernel refused: ${code}`);
    this.name = 'NetlinkError';
    this.code = code;
  }
}

interface Message {
  readonly type: number;
  readonly body: Buffer;
}

/** The messages in the datagrams of an answer. Throws NetlinkError when the kernel refused, Error when one is cut. */
function messagesIn(datagrams: readonly Buffer[]): readonly Message[] {
  const found: Message[] = [];
  for (const datagram of datagrams)
    for (let at = 0; at < datagram.length;) {
      if (datagram.length - at < 16) throw new Error('a netlink message is cut');
      const length = datagram.readUInt32LE(at);
      const type = datagram.readUInt16LE(at + 4);
      if (length < 16 || length > datagram.length - at) throw new Error('a netlink message is cut');
      const body = datagram.subarray(at + 16, at + length);
      // struct nlmsgerr begins with a negative errno; 0 acknowledges.
      const errno = type === types.error && body.length >= 4 ? -body.readInt32LE(0) : 0;
      if (errno !== 0) throw new NetlinkError(errno);
      found.push({ type, body });
      at += align(length);
    }
  return found;
}

/** Throws NetlinkError when the kernel refused, Error when it did not acknowledge. */
export function acknowledged(datagrams: readonly Buffer[]): void {
  if (!messagesIn(datagrams).some(({ type }) => type === types.error))
    throw new Error('the VM’s kernel did not acknowledge');
}

/** Attributes by type; the last one of a type counts. The two highest bits of a type are flags. */
function attributesIn(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || length > bytes.length - at) break;
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

const read = <T>(
  datagrams: readonly Buffer[],
  type: number,
  headSize: number,
  make: (head: Buffer, attributes: ReadonlyMap<number, Buffer>) => T | null,
): readonly T[] =>
  messagesIn(datagrams).flatMap((found) => {
    if (found.type !== type || found.body.length < headSize) return [];
    const made = make(found.body.subarray(0, headSize), attributesIn(found.body.subarray(headSize)));
    return made === null ? [] : [made];
  });

const numberIn = (value: Buffer | undefined): number => (value?.length === 4 ? value.readUInt32LE(0) : 0);
const textIn = (value: Buffer | undefined): string => value?.toString('latin1').replace(/\0.*$/s, '') ?? '';

/** A network interface of the VM. */
export interface GuestInterface {
  readonly index: number;
  readonly name: string;
  /** Lower case, with colons; empty when it has none. */
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** A device's own, neither the loopback's nor one that the kernel makes up (bridge, veth, tap …: IFLA_INFO_KIND). */
  readonly isCard: boolean;
}

/** ARPHRD_LOOPBACK (linux/if_arp.h). */
const loopback = 772;

/** Every interface in the answer to `ask.links`. Throws as `acknowledged`. */
export const readLinks = (datagrams: readonly Buffer[]): readonly GuestInterface[] =>
  read(datagrams, types.newLink, 16, (head, attributes) => ({
    index: head.readInt32LE(4),
    name: textIn(attributes.get(3)),
    mac: (attributes.get(1)?.toString('hex').match(/../g) ?? []).join(':'),
    mtu: numberIn(attributes.get(4)),
    up: (head.readUInt32LE(8) & isUp) !== 0,
    isCard: head.readUInt16LE(2) !== loopback && !attributesIn(attributes.get(18) ?? Buffer.alloc(0)).has(1),
  }));

/** Every address in the answer to `ask.addresses`. Throws as `acknowledged`. */
export const readAddresses = (datagrams: readonly Buffer[]): readonly InterfaceAddress[] =>
  read(datagrams, types.newAddress, 8, (head, attributes) => {
    // IFA_LOCAL is the own address; IPv6 has IFA_ADDRESS alone.
    const address = formatAddress(attributes.get(2) ?? attributes.get(1) ?? Buffer.alloc(0));
    return address === null ? null : { index: head.readUInt32LE(4), address, prefix: head.readUInt8(1) };
  });

/** An ordinary row of one of the VM's routing tables. */
export interface GuestRoute {
  /** Whether it is the main table's. */
  readonly isMain: boolean;
  /** The network's address; null for a default route. */
  readonly address: string | null;
  readonly prefix: number;
  /** The interface's index; 0 when it has none of its own. */
  readonly index: number;
}

/** The kernel's number of the main table (RT_TABLE_MAIN), and of ordinary rows (RTN_UNICAST). */
const mainTable = 254;
const unicast = 1;

/** Every ordinary row of every table in the answer to `ask.routes`. Throws as `acknowledged`. */
export const readRoutes = (datagrams: readonly Buffer[]): readonly GuestRoute[] =>
  // struct rtmsg: family prefix source-prefix tos table protocol scope type, flags:u32
  read(datagrams, types.newRoute, 12, (head, attributes) => {
    const table = attributes.has(15) ? numberIn(attributes.get(15)) : head.readUInt8(4);
    if (head.readUInt8(7) !== unicast) return null;
    const destination = attributes.get(1);
    return {
      isMain: table === mainTable,
      address: destination ? formatAddress(destination) : null,
      prefix: head.readUInt8(1),
      index: numberIn(attributes.get(4)),
    };
  });
