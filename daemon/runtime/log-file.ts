import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { messageOf } from '../lib/text.js';

export interface LogFileOptions {
  readonly path: string;
  /** Bytes after which the file becomes `path.1`, `path.1` becomes `path.2`, … */
  readonly maxSize: number;
  /** How many of those are kept. */
  readonly maxFiles: number;
  /** Group that may read: folder 0750, file 0640. */
  readonly gid: number;
  /** Told once when lines begin to be lost. */
  readonly complain: (message: string) => void;
}

/** After a failure (disk full), how long lines are dropped before the next try, in ms. */
const pause = 1000;

function openPrivately(path: string, flags: number, mode: number, gid: number): number {
  const descriptor = openSync(path, flags | constants.O_NOFOLLOW, mode);
  try {
    const stats = fstatSync(descriptor);
    if (stats.gid !== gid) fchownSync(descriptor, -1, gid);
    if ((stats.mode & 0o7777) !== mode) fchmodSync(descriptor, mode);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function openFile(path: string, gid: number): number {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  closeSync(openPrivately(folder, constants.O_RDONLY | constants.O_DIRECTORY, 0o750, gid));
  return openPrivately(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o640, gid);
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * A stream of lines into a file that is rotated by size. It never fails: what cannot be written (disk full, folder
 * gone) is dropped and counted, and the count is the first line when writing works again.
 *
 * winston's own File transport is not used: after a failed write it never writes again, it gives no group or mode to
 * a file it creates, and it loses lines at `process.exit` (winston#228). Writing is synchronous, so a line that was
 * logged is on its way to disk before the next statement runs, whatever ends the process.
 */
export function openLogFile(options: LogFileOptions): Writable {
  const { path, maxSize, maxFiles, gid } = options;
  let descriptor: number | null = null;
  let size = 0;
  let lost = 0;
  /** Whether the last line in the file is only half there. */
  let torn = false;
  let notBefore = 0;

  const close = (): void => {
    if (descriptor === null) return;
    const closing = descriptor;
    descriptor = null;
    closeSync(closing);
  };

  function open(): number {
    if (descriptor !== null) {
      // Removed under us (a person tidied up): what is written here would never be read.
      if (fstatSync(descriptor).nlink > 0) return descriptor;
      close();
    }
    descriptor = openFile(path, gid);
    size = fstatSync(descriptor).size;
    return descriptor;
  }

  function rotate(): void {
    close();
    for (let index = maxFiles - 1; index >= 1; index -= 1)
      renameIfThere(`${path}.${index}`, `${path}.${index + 1}`);
    renameIfThere(path, `${path}.1`);
    // More than one where maxFiles was larger before.
    for (let index = maxFiles + 1; existsSync(`${path}.${index}`); index += 1) rmSync(`${path}.${index}`);
  }

  function write(bytes: Buffer): void {
    let file = open();
    if (size > 0 && size + bytes.length > maxSize) {
      rotate();
      file = open();
    }
    for (let done = 0; done < bytes.length; torn = done < bytes.length) done += writeSync(file, bytes, done);
    size += bytes.length;
  }

  function report(): void {
    if (lost === 0) return;
    const message = `${lost} log lines were lost because ${path} could not be written`;
    const start = torn ? '\n' : '';
    write(
      Buffer.from(`${start}${JSON.stringify({ time: new Date().toISOString(), level: 'warn', message })}\n`),
    );
    lost = 0;
  }

  function append(bytes: Buffer): void {
    const now = performance.now();
    if (now < notBefore) {
      lost += 1;
      return;
    }
    try {
      report();
      write(bytes);
    } catch (error) {
      if (lost === 0) options.complain(`${path} cannot be written, lines are dropped: ${messageOf(error)}`);
      lost += 1;
      notBefore = now + pause;
      try {
        close();
      } catch {
        // Nothing is left to be done with a descriptor that cannot be closed.
      }
    }
  }

  return new Writable({
    decodeStrings: true,
    write: (chunk: Buffer, _encoding, done) => {
      append(chunk);
      done();
    },
    final: (done) => {
      close();
      done();
    },
  });
}
