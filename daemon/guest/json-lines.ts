import { StringDecoder } from 'node:string_decoder';
import { parseUntrusted } from './json.js';

const longestLine = 256 * 1024;

/**
 * The values of an endless stream of JSON lines. A line that is no JSON, or longer than 256 Ki characters, is left
 * out: what one container is called must not end what is known of all others.
 */
export async function* jsonLines(chunks: AsyncIterable<Buffer>, longest = longestLine): AsyncGenerator {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let tooLong = false;
  for await (const chunk of chunks) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const [index, line] of lines.entries()) {
      if ((index === 0 && tooLong) || line.length > longest) continue;
      try {
        yield parseUntrusted(line);
      } catch {
        // Blank, cut or garbage.
      }
    }
    if (lines.length > 0) tooLong = false;
    if (rest.length > longest) {
      rest = '';
      tooLong = true;
    }
  }
}
