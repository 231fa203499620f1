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
  const part = fc.record({
    stream: fc.constantFrom(1, 2),
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), cuts, (parts, sizes) => {
      const errors: Buffer[] = [];
      const take = demultiplexer((bytes) => errors.push(bytes));
      const bytes = Buffer.concat(
        parts.map(({ stream, body }) => {
          const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
          head.writeUInt32BE(body.length, 4);
          return Buffer.concat([head, body]);
        }),
      );
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
