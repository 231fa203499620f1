/**
 * The agent's frames (agent.c): a length (4 bytes, big endian, of what follows), a letter, a body with numbers in little
 * endian. Pure: bytes in, bytes out.
 */

/** What the agent reads at most in one request, its letter included (agent.c, MAX_REQUEST). */
export const maxRequest = 64 * 1024;
/** The largest frame of an answer: a part of data (agent.c, MAX_PART) and its letter. */
const maxFrame = 32 * 1024 + 1;

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
 * Cuts a stream into frames. The returned function takes the next bytes and returns the frames that are complete by now;
 * it throws when a length makes no sense, after which nothing that follows can be trusted.
 */
export function frameReader(): (bytes: Buffer) => readonly Frame[] {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const frames: Frame[] = [];
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0);
      if (length === 0 || length > maxFrame) throw new Error(`the agent sent a frame of ${length} bytes`);
      if (rest.length < 4 + length) break;
      frames.push({ letter: rest.toString('latin1', 4, 5), body: rest.subarray(5, 4 + length) });
      rest = rest.subarray(4 + length);
    }
    return frames;
  };
}

/**
 * Takes the engine's multiplexing away: without a terminal it puts stdout and stderr into parts with a header of eight
 * bytes (stream, three zeros, length in big endian). The returned function returns the bytes of stdout by now; what is
 * said on stderr goes to `onStderr`. Throws at a header that is none, or a part of more than `maxPart` bytes.
 */
export function demultiplexer(
  onStderr: (bytes: Buffer) => void,
  maxPart = 1024 * 1024,
): (bytes: Buffer) => Buffer {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const stdout: Buffer[] = [];
    while (rest.length >= 8) {
      const stream = rest.readUInt8(0);
      const length = rest.readUInt32BE(4);
      if (stream > 2 || rest.readUIntBE(1, 3) !== 0 || length > maxPart)
        throw new Error('the engine’s stream is not that of a container');
      if (rest.length < 8 + length) break;
      const part = rest.subarray(8, 8 + length);
      if (stream === 2) onStderr(part);
      else stdout.push(part);
      rest = rest.subarray(8 + length);
    }
    return Buffer.concat(stdout);
  };
}
