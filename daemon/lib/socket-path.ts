/** Bytes of a path in macOS's `sockaddr_un`, without its end (sys/un.h: 104 in all). */
const maxBytes = 103;

/**
 * Why a unix socket cannot be reached by this path; null when it can. libuv cuts longer paths and says nothing, and
 * what it then connects to, or makes, is another socket.
 */
export function unfitSocketPath(path: string): string | null {
  const bytes = Buffer.byteLength(path);
  return bytes > maxBytes
    ? `${path} has ${bytes} bytes, and the path of a socket has ${maxBytes} at the most`
    : null;
}
