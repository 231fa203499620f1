import { lstat } from 'node:fs/promises';
import { kextPlaces } from './kext.js';

async function fingerprintOf(path: string): Promise<string> {
  try {
    const { ino, uid, gid, mode, rdev } = await lstat(path);
    return [ino, uid, gid, mode, rdev].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}

/** Files that show users and kext: /dev/console belongs to the user in front, /dev/tap0 exists while a kext is loaded. */
export const watchedPaths = (device: string): readonly string[] => [
  '/dev/console',
  '/dev/tap0',
  `/dev/${device}`,
  ...kextPlaces,
];

export interface Glance {
  /** To be awaited before the whole is looked at: from then on a change is one from what was there at this moment. */
  readonly mark: () => Promise<void>;
  readonly stop: () => void;
}

/**
 * Says within a second when a user came or went, when the kext was loaded or installed, or when somebody else took the
 * tap device: by a few lstat a second, without any command. Only a trigger; never throws.
 */
export function glanceAt(paths: readonly string[], onChange: () => void): Glance {
  let last: string | null = null;
  let looking = false;
  let stopped = false;
  const fingerprint = async (): Promise<string> => (await Promise.all(paths.map(fingerprintOf))).join('|');
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    const now = await fingerprint();
    looking = false;
    if (isStopped()) return;
    if (last !== null && now !== last) onChange();
    last = now;
  };
  const isStopped = (): boolean => stopped;
  void look();
  const timer = setInterval(() => void look(), 1000);
  return {
    mark: async () => {
      last = await fingerprint();
    },
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
