import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { demultiplexer, frameReader, maxRequest, requests } from '../../../daemon/guest/agent/frames.js';
import { frame } from './fake-vm.js';

const bodies = fc.array(
  fc.record({
    letter: fc.constantFrom('D', 'O', 'E', '.', '!'),
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);
const cuts = fc.array(fc.nat(400), { maxLength: 40 });

/** The bytes in pieces of those sizes, and what is left as the last one. */
function pieces(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  let at = 0;
  const parts = sizes.map((size) => bytes.subarray(at, (at += size)));
  return [...parts, bytes.subarray(at)];
}

/** A part of a container’s stdout as the engine wraps it. */
function part(body: Buffer, stream = 1): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

test('frames are the same, wherever the stream is cut', () => {
  fc.assert(
    fc.property(bodies, cuts, (frames, sizes) => {
      const read = frameReader();
      const bytes = Buffer.concat(frames.map(({ letter, body }) => frame(letter, body)));
      const found = pieces(bytes, sizes).flatMap((piece) => read(piece));
      expect(found.map(({ letter, body }) => [letter, body.toString('hex')])).toEqual(
        frames.map(({ letter, body }) => [letter, body.toString('hex')]),
      );
    }),
  );
});

test('the engine’s multiplexing is taken away, wherever the stream is cut', () => {
  const anyPart = fc.record({
    stream: fc.constantFrom(1, 2),
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(anyPart, { maxLength: 12 }), cuts, (parts, sizes) => {
      const errors: Buffer[] = [];
      const take = demultiplexer((bytes) => errors.push(bytes));
      const bytes = Buffer.concat(parts.map(({ stream, body }) => part(body, stream)));
      const output = Buffer.concat(pieces(bytes, sizes).map((piece) => take(piece)));
      const said = (wanted: number): string =>
        Buffer.concat(parts.filter(({ stream }) => stream === wanted).map(({ body }) => body)).toString(
          'hex',
        );
      expect(output.toString('hex')).toBe(said(1));
      expect(Buffer.concat(errors).toString('hex')).toBe(said(2));
    }),
  );
});

describe.each([
  [
    'frames of the largest size',
    () => {
      const read = frameReader();
      return (bytes: Buffer) => read(bytes).reduce((sum, { body }) => sum + body.length, 0);
    },
    frame('D', Buffer.alloc(32 * 1024)),
    { size: 32 * 1024, lengthAt: 0 },
  ],
  [
    'parts of the engine’s largest size',
    () => {
      const take = demultiplexer(() => undefined);
      return (bytes: Buffer) => take(bytes).length;
    },
    part(Buffer.alloc(64 * 1024)),
    { size: 64 * 1024, lengthAt: 4 },
  ],
])('%s', (_what, begin, bytes, { size, lengthAt }) => {
  test('that come byte by byte cost no more the longer they are', () => {
    const read = begin();
    const began = process.cpuUsage();
    let found = 0;
    const times = (1024 * 1024) / size;
    for (let count = 0; count < times; count += 1)
      for (let at = 0; at < bytes.length; at += 1) found += read(bytes.subarray(at, at + 1));
    expect(found).toBe(1024 * 1024);
    const { user, system } = process.cpuUsage(began);
    // One or two seconds of a busy processor; with all that came before copied for each byte ten and more.
    expect((user + system) / 1e6).toBeLessThan(6);
  });

  test('are the largest: one more byte is refused by its head, before anything of it is kept', () => {
    const read = begin();
    const head = Buffer.from(bytes.subarray(0, bytes.length - size));
    head.writeUInt32BE(head.readUInt32BE(lengthAt) + 1, lengthAt);
    expect(() => read(head)).toThrow(/a frame of 32770 bytes$|is not that of a container$/);
  });
});

test('garbage gives frames or an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), cuts, (bytes, sizes) => {
      for (const read of [frameReader(), demultiplexer(() => undefined)])
        try {
          for (const piece of pieces(Buffer.from(bytes), sizes)) read(piece);
        } catch (error) {
          expect((error as Error).message).toMatch(/^the agent sent a frame of|is not that of a container$/);
        }
    }),
  );
});

describe('a request', () => {
  test('that is too large is refused, and the largest is not', () => {
    expect(requests.netlink(0, Buffer.alloc(maxRequest - 5))).toHaveLength(4 + maxRequest);
    expect(() => requests.netlink(0, Buffer.alloc(maxRequest - 4))).toThrow(RangeError);
  });

  test('keeps words apart: none may hold a NUL', () => {
    expect(requests.run(1, 2, ['/bin/a', 'b c'], ['X=y']).toString('latin1')).toBe(
      '\0\0\0\x1cX\x01\0\0\0\x02\0\0\0\x02\0\0\0/bin/a\0b c\0X=y\0',
    );
    expect(() => requests.run(1, 2, ['a\0b'], [])).toThrow(RangeError);
    expect(() => requests.run(1, 2, ['a'], ['b\0'])).toThrow(RangeError);
  });
});
