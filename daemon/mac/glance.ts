import { lstat } from 'node:fs/promises';
import { kextPlaces } from './kext.js';

async function fingerprint(path: string): Promise<string> {
  try {
    const { ino, uid, gid, mode, rdev } = await lstat(path);
    return [ino, uid, gid, mode, rdev].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}

/** What tells of users and kext: the console belongs to whoever is in front, /dev/tap0 is there while one is loaded. */
export const telltales = (device: string): readonly string[] => [
  '/dev/console',
  '/dev/tap0',
  `/dev/${device}`,
  ...kextPlaces,
];

/**
 * Says within a second when a user came or went, when the kext was loaded or installed, or when somebody else took the
 * tap device: by a few lstat a second, without any command. Only a trigger; never throws.
 */
export function glanceAt(paths: readonly string[], onChange: () => void): { stop: () => void } {
  let last: string | null = null;
  let looking = false;
  let stopped = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    const now = (await Promise.all(paths.map(fingerprint))).join('|');
    looking = false;
    if (isStopped()) return;
    if (last !== null && now !== last) onChange();
    last = now;
  };
  const isStopped = (): boolean => stopped;
  void look();
  const timer = setInterval(() => void look(), 1000);
  return {
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
