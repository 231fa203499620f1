import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const chunkSize = 65_536;
const interval = 200;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

async function readAt(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, from);
  return buffer.subarray(0, bytesRead);
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** The last `count` lines of the first `size` bytes, read from the end. */
async function lastLines(file: FileHandle, size: number, count: number): Promise<string[]> {
  let bytes = Buffer.alloc(0);
  for (let from = size; from > 0;) {
    const length = Math.min(chunkSize, from);
    from -= length;
    bytes = Buffer.concat([await readAt(file, from, length), bytes]);
    // One more than wanted: the first may be cut.
    if (bytes.toString('latin1').split('\n').length > count + 1) break;
  }
  return count === 0 ? [] : linesOf(bytes.toString('utf8')).slice(-count);
}

/** Where the last complete one of the first `size` bytes' lines ends. */
async function endOfLines(file: FileHandle, size: number): Promise<number> {
  for (let to = size; to > 0;) {
    const from = Math.max(0, to - chunkSize);
    const at = (await readAt(file, from, to - from)).lastIndexOf(10);
    if (at !== -1) return from + at + 1;
    to = from;
  }
  return 0;
}

/** The rotated parts `path.1`, `path.2`, … as well, as far as what is wanted goes back. */
async function withRotated(path: string, lines: readonly string[], count: number): Promise<string[]> {
  let found = [...lines];
  for (let index = 1; found.length < count; index += 1) {
    const rotated = await openIfThere(`${path}.${index}`);
    if (!rotated) break;
    try {
      found = [...(await lastLines(rotated, (await rotated.stat()).size, count - found.length)), ...found];
    } finally {
      await rotated.close();
    }
  }
  return found;
}

/** Calls `onLine` for each complete line between `from` and the end; returns where the last complete one ended. */
async function forwards(file: FileHandle, from: number, onLine: (line: string) => void): Promise<number> {
  let position = from;
  let rest = Buffer.alloc(0);
  for (;;) {
    const chunk = await readAt(file, position + rest.length, chunkSize);
    if (chunk.length === 0) return position;
    rest = Buffer.concat([rest, chunk]);
    const end = rest.lastIndexOf(10) + 1;
    linesOf(rest.subarray(0, end).toString('utf8')).forEach(onLine);
    position += end;
    rest = rest.subarray(end);
  }
}

export interface LogReading {
  readonly path: string;
  /** Number of past lines to show. */
  readonly count: number;
  readonly onLine: (line: string) => void;
  /** Which lines count at all, asked in their order; left out: all. */
  readonly accepts?: (line: string) => boolean;
}

/** Of all complete lines of the log and its rotated parts the last `count` that are accepted. */
async function lastAccepted(
  { path, count, accepts = () => true }: LogReading,
  file: FileHandle,
): Promise<string[]> {
  const parts: FileHandle[] = [file];
  try {
    for (let index = 1; ; index += 1) {
      const rotated = await openIfThere(`${path}.${index}`);
      if (!rotated) break;
      parts.unshift(rotated);
    }
    let found: string[] = [];
    for (const part of parts)
      await forwards(part, 0, (line) => {
        if (!accepts(line)) return;
        found.push(line);
        // Not one by one, which would move them all each time.
        if (found.length > 2 * count + 1000) found = found.slice(-count);
      });
    return count === 0 ? [] : found.slice(-count);
  } finally {
    for (const part of parts) if (part !== file) await part.close();
  }
}

/** The last lines that are wanted, of the first `size` bytes. */
async function past(reading: LogReading, file: FileHandle, size: number): Promise<string[]> {
  if (reading.accepts) return lastAccepted(reading, file);
  const lines = await lastLines(file, size, reading.count);
  return withRotated(reading.path, lines, reading.count);
}

/** The last lines of a log. Returns false when there is no log yet. Throws what the file system says. */
export async function readLog(reading: LogReading): Promise<boolean> {
  const file = await openIfThere(reading.path);
  if (!file) return false;
  try {
    (await past(reading, file, (await file.stat()).size)).forEach(reading.onLine);
    return true;
  } finally {
    await file.close();
  }
}

/**
 * The last lines and then every new one until `signal`: waits for a log that is not there yet, goes on with the new
 * file after a rotation (and first reads the old one to its end), starts over when the file is cut.
 */
export async function followLog(
  reading: LogReading,
  signal: AbortSignal,
  onAbsent: () => void,
): Promise<void> {
  const { path, accepts = () => true } = reading;
  const onLine = (line: string): void => {
    if (accepts(line)) reading.onLine(line);
  };
  let file = await openIfThere(path);
  let position = 0;
  if (file) {
    // What stands there of a line that is just being written is read with its rest.
    position = await endOfLines(file, (await file.stat()).size);
    (await past(reading, file, position)).forEach(reading.onLine);
  } else onAbsent();
  while (!signal.aborted) {
    if (file) {
      if ((await file.stat()).size < position) position = 0;
      const present = await stat(path).catch(() => null);
      position = await forwards(file, position, onLine);
      if (present?.ino !== (await file.stat()).ino && present) {
        await file.close();
        file = null;
      }
    }
    if (!file) {
      file = await openIfThere(path);
      position = 0;
      if (file) continue;
    }
    await pause(interval, undefined, { signal }).catch(() => undefined);
  }
  await file?.close();
}
