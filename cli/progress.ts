import type { Io } from './io.js';

/** What `work` resolves to; while it takes longer than a second a terminal tells for how long, on stderr. */
export async function withProgress<T>(io: Io, what: string, work: Promise<T>): Promise<T> {
  if (io.stderr.isTTY !== true) return work;
  const began = io.now();
  const timer = setInterval(() => {
    io.stderr.write(`\r${what}: ${Math.round((io.now() - began) / 1000)} s\u001b[K`);
  }, 1000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (io.now() - began >= 1000) io.stderr.write('\r\u001b[K');
  }
}
