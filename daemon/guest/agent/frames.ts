/**
 * The agent's frames (agent.c): a length (4 bytes, big endian, of what follows), a letter, a body with numbers in little
 * endian. Pure: bytes in, bytes out.
 */

/** What the agent reads at most in one request, its letter included (agent.c, MAX_REQUEST). */
export const maxRequest = 64 * 1024;
/** The largest frame of an answer: a part of data (agent.c, MAX_PART) and its letter. */
const maxFrame = 32 * 1024 + 1;
/** The largest part of a container's output: an engine passes on 32 KiB at a time (moby pkg/pools), and this is twice that. */
const maxPart = 64 * 1024;

/** A frame of the agent's answer. */
export interface Frame {
  readonly letter: string;
  readonly body: Buffer;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

function frame(letter: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length + 1 > maxRequest)
    throw new RangeError(`a request of ${body.length} bytes is too large for the agent`);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length + 1);
  head.write(letter, 4, 'latin1');
  return Buffer.concat([head, body]);
}

const words = (list: readonly string[]): Buffer => {
  const odd = list.find((word) => word.includes('\0'));
  if (odd !== undefined) throw new RangeError('a word for the agent holds a NUL');
  return Buffer.from(list.map((word) => `${word}\0`).join(''));
};

/** Requests; each throws RangeError when it does not fit into a frame. */
export const requests = {
  /** One netlink message for the kernel's `protocol` (0: NETLINK_ROUTE). */
  netlink: (protocol: number, message: Buffer): Buffer => frame('N', u32(protocol), message),
  /** A command with all its words in the mount namespace of process `pid`, for `timeout` ms. */
  run: (pid: number, timeout: number, argv: readonly string[], environment: readonly string[]): Buffer =>
    frame('X', u32(pid), u32(timeout), u32(argv.length), words([...argv, ...environment])),
  /** What lies at a path below /proc or /sys. */
  read: (path: string): Buffer => frame('R', Buffer.from(path)),
  /** An ARP frame, with its Ethernet header, out of an interface. */
  announce: (interfaceIndex: number, packet: Buffer): Buffer => frame('A', u32(interfaceIndex), packet),
  quit: (): Buffer => frame('Q'),
} as const;

/**
 * Cuts a stream into parts, each of a head of `headSize` bytes and the body whose size `bodySize` reads from that head,
 * or throws. The returned function takes the next bytes and returns the parts that are complete by now, head and body
 * in one. At most one part is kept, and each byte copied a few times at most, however small the pieces are.
 */
function partReader(
  headSize: number,
  bodySize: (head: Buffer) => number,
): (bytes: Buffer) => readonly Buffer[] {
  let pieces: Buffer[] = [];
  let size = 0;
  /** How many bytes there must be before it is worth putting the pieces together. */
  let enough = headSize;
  return (bytes) => {
    pieces.push(bytes);
    size += bytes.length;
    if (size < enough) return [];
    const parts: Buffer[] = [];
    let rest = Buffer.concat(pieces);
    while (rest.length >= enough) {
      enough = headSize + bodySize(rest);
      if (rest.length < enough) break;
      parts.push(rest.subarray(0, enough));
      rest = rest.subarray(enough);
      enough = headSize;
    }
    pieces = [rest];
    size = rest.length;
    return parts;
  };
}

/**
 * Cuts a stream into frames. The returned function takes the next bytes and returns the frames that are complete by now;
 * it throws when a length makes no sense, after which nothing that follows can be trusted.
 */
export function frameReader(): (bytes: Buffer) => readonly Frame[] {
  const read = partReader(4, (head) => {
    const length = head.readUInt32BE(0);
    if (length === 0 || length > maxFrame) throw new Error(`the agent sent a frame of ${length} bytes`);
    return length;
  });
  return (bytes) =>
    read(bytes).map((part) => ({ letter: part.toString('latin1', 4, 5), body: part.subarray(5) }));
}

/**
 * Takes the engine's multiplexing away: without a terminal it puts stdout and stderr into parts with a header of eight
 * bytes (stream, three zeros, length in big endian). The returned function returns the bytes of stdout by now; what is
 * said on stderr goes to `onStderr`. Throws at a header that is none, or a part that is too large.
 */
export function demultiplexer(onStderr: (bytes: Buffer) => void): (bytes: Buffer) => Buffer {
  const read = partReader(8, (head) => {
    const length = head.readUInt32BE(4);
    if (head.readUInt8(0) > 2 || head.readUIntBE(1, 3) !== 0 || length > maxPart)
      throw new Error('the engine’s stream is not that of a container');
    return length;
  });
  return (bytes) => {
    const stdout: Buffer[] = [];
    for (const part of read(bytes)) {
      const body = part.subarray(8);
      if (part.readUInt8(0) === 2) onStderr(body);
      else stdout.push(body);
    }
    return Buffer.concat(stdout);
  };
}
