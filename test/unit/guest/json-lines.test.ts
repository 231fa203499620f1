import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonLines } from '../../../daemon/guest/json-lines.js';

// eslint-disable-next-line @typescript-eslint/require-await -- a stream is asynchronous, its test need not wait
async function* streamOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function valuesOf(chunks: readonly Buffer[], longest?: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of jsonLines(streamOf(chunks), longest)) values.push(value);
  return values;
}

test('wherever the stream is cut, every line arrives whole and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(JSON.stringify(await valuesOf(chunks))).toBe(JSON.stringify(values));
      },
    ),
  );
});

describe('what is no JSON is left out, and what follows is not', () => {
  test.each([
    ['garbage', ['{"a":1}\n<html>\n{"b":2}\n']],
    ['nested without end', [`{"a":1}\n${'['.repeat(70)}${']'.repeat(70)}\n{"b":2}\n`]],
    ['blank lines', ['{"a":1}\n\n \r\n{"b":2}\n']],
    ['a line too long, in one piece', [`{"a":1}\n"${'x'.repeat(250)}"\n{"b":2}\n`]],
    ['a line too long, in pieces', ['{"a":1}\n"', 'x'.repeat(150), 'x'.repeat(150), '"\n{"b":2}\n']],
  ])('%s', async (_what, texts) => {
    expect(
      await valuesOf(
        texts.map((text) => Buffer.from(text)),
        200,
      ),
    ).toEqual([{ a: 1 }, { b: 2 }]);
  });
});
