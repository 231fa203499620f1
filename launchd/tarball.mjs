/** Tarballs that depend on what is in them alone: no clock, no owner, no order of a disk. Pure. */
import { Buffer } from 'node:buffer';
import { gzipSync } from 'node:zlib';

const block = 512;
/** What a name may have in a header of ustar (POSIX.1-1988). */
const maxName = 100;

const octal = (value, width) => `${value.toString(8).padStart(width - 1, '0')}\0`;

function header({ path, mode, size, time }) {
  if (Buffer.byteLength(path) > maxName) throw new Error(`${path} is too long a name for a tarball`);
  const bytes = Buffer.alloc(block);
  const put = (offset, text) => bytes.write(text, offset, 'latin1');
  bytes.write(path, 0, 'utf8');
  put(100, octal(mode, 8));
  put(108, octal(0, 8));
  put(116, octal(0, 8));
  put(124, octal(size, 12));
  put(136, octal(time, 12));
  // The sum is that of the header with blanks in its place.
  put(148, ' '.repeat(8));
  put(156, '0');
  put(257, 'ustar\0' + '00');
  put(265, 'root');
  put(297, 'wheel');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return bytes;
}

/**
 * The tarball of these files, each with its path, content and whether it is a program, in the order of their paths.
 * `time`: of each of them, in seconds since 1970. Throws for a path that tar cannot hold.
 */
export function tarball(files, time) {
  const sorted = [...files].sort((one, other) => (one.path < other.path ? -1 : 1));
  const parts = sorted.flatMap(({ path, content, isProgram }) => [
    header({ path, mode: isProgram ? 0o755 : 0o644, size: content.length, time }),
    content,
    Buffer.alloc((block - (content.length % block)) % block),
  ]);
  const zipped = gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * block)]));
  // Which system zipped it (RFC 1952, 2.3.1): unknown.
  zipped[9] = 255;
  return zipped;
}
