/** The whole of a stream, which ends early when it has more than `maxBytes`. Rejects then, with `tooLong` as its message. */
export async function boundedBody(
  stream: AsyncIterable<Buffer>,
  maxBytes: number,
  tooLong: string,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(tooLong);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
