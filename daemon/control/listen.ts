import { chmod, chown, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { unfitSocketPath } from '../lib/socket-path.js';

/** How long a socket may take to accept before it counts as alive but busy, in ms. */
const dialTimeout = 2000;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Whether somebody accepts connections there. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(dialTimeout, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}

async function assertFree(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket())
      throw new Error(`${path} exists and is not a socket: remove it, then start tuntapd again`);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (await isAnswered(path))
    throw new Error(`${path} is answered by another tuntapd that still runs: stop that one first`);
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * Makes `server` listen on the unix socket `path`, with this mode and group before anybody can reach it: it is born
 * in a folder of root's own and renamed to its place, over a socket that nobody answers any more. Returns what
 * removes it again, if it is still this one. Throws when somebody answers there or something else stands there.
 */
export async function listenPrivately(
  server: Server,
  path: string,
  { gid, mode }: { gid: number; mode: number },
): Promise<() => Promise<void>> {
  const unfit = unfitSocketPath(path);
  if (unfit !== null) throw new Error(unfit);
  await assertFree(path);
  // Short: a socket's path has 103 characters at the most (sys/un.h of macOS).
  const folder = await mkdtemp(join(dirname(path), '.tt-'));
  const temporary = join(folder, 's');
  try {
    await listenOn(server, temporary);
    await chown(temporary, process.getuid?.() ?? 0, gid);
    await chmod(temporary, mode);
    const { dev, ino } = await lstat(temporary);
    await rename(temporary, path);
    return async () => {
      const present = await lstat(path).catch(() => null);
      if (present?.dev === dev && present.ino === ino) await rm(path, { force: true });
    };
  } catch (error) {
    server.close();
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
