import { lstat } from 'node:fs/promises';
import type { Vm } from '../observation.js';
import { isAlive } from './alive.js';

async function fingerprint(paths: readonly string[]): Promise<string> {
  const marks = await Promise.all(
    paths.map((path) =>
      lstat(path).then(
        ({ ino, mtimeMs }) => `${ino} ${mtimeMs}`,
        () => '-',
      ),
    ),
  );
  return marks.join('|');
}

/**
 * Notices a VM's end within a second by one `kill(pid, 0)` a second, and a new one by its pid file. The pid files are
 * a user's: they are looked at from outside (lstat) and never read. They are looked at while a VM runs as well, since
 * the next one may start in the very second in which it ends.
 */
export function watchVm(options: { pidFiles: () => readonly string[]; onChange: () => void }): {
  setVm: (vm: Vm | null) => void;
  stop: () => void;
} {
  let vm: Vm | null = null;
  let last = '';
  let stopped = false;
  let looking = false;
  const lookAtFiles = async (): Promise<void> => {
    // A home folder on a slow disk may keep a look for longer than a second.
    if (looking) return;
    looking = true;
    const now = await fingerprint(options.pidFiles());
    looking = false;
    if (isStopped()) return;
    if (now !== last) options.onChange();
    last = now;
  };
  const look = (): void => {
    if (vm && !isAlive(vm.pid)) {
      vm = null;
      options.onChange();
    }
    void lookAtFiles();
  };
  const isStopped = (): boolean => stopped;
  const timer = setInterval(look, 1000);
  return {
    setVm: (next) => {
      vm = next;
    },
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
