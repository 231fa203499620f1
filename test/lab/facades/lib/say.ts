import { writeSync } from 'node:fs';

/** Writes what there is to say and ends with `status`; synchronous, since a pipe may be all that listens. */
export function finish(status: number, said: { out?: string; err?: string } = {}): never {
  if (said.out) writeAll(1, said.out);
  if (said.err) writeAll(2, said.err);
  process.exit(status);
}

/** The uid that runs this command; never undefined on a Mac. */
export const myUid = (): number => process.getuid?.() ?? -1;

function writeAll(file: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0)
    try {
      rest = rest.subarray(writeSync(file, rest));
    } catch (error) {
      // A full pipe says "again"; one that nobody reads any more is not worth a word.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
}
