import type { Writable } from 'node:stream';

/**
 * What tells `stream` the `latest` text, if any, whenever it is called: while something written has not been read nothing
 * more is, and the latest once it has. `drain` would not do: it is not told of small writes.
 */
export function tellLatest(stream: Writable, latest: () => string | null): () => void {
  let isBehind = false;
  const tell = (): void => {
    isBehind = stream.writableLength > 0;
    const text = isBehind ? null : latest();
    if (text === null) return;
    stream.write(text, () => {
      if (isBehind) tell();
    });
  };
  return tell;
}
