import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConsoleUser, type Seen, seen, unknown } from '../observation.js';

/**
 * The engine socket of the console user: the first of Docker Desktop's places (4.13+ no longer makes
 * /var/run/docker.sock) that resolves to a socket owned by that user. A dangling link or another user's socket does
 * not count; when nothing counts the reason names what was found.
 */
export async function findEngineSocket({ user }: { user: ConsoleUser }): Promise<Seen<string>> {
  const places = [
    join(user.home, '.docker/run/docker.sock'),
    join(user.home, 'Library/Containers/com.docker.docker/Data/docker.raw.sock'),
    '/var/run/docker.sock',
  ];
  const found: string[] = [];
  for (const place of places) {
    try {
      const path = await realpath(place);
      const { uid } = await stat(path).then((stats) => {
        if (!stats.isSocket()) throw new Error('it is not a socket');
        return stats;
      });
      if (uid === user.uid) return seen(path);
      found.push(`${place} belongs to uid ${uid}`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') found.push(`${place}: ${message}`);
    }
  }
  return unknown(found.length === 0 ? `${user.name} has no Docker socket (yet)` : found.join('; '));
}
