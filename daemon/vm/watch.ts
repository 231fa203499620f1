import { lstat } from 'node:fs/promises';
import type { Vm } from '../core/observation.js';
import { isAlive } from './alive.js';

/** Milliseconds in which a file answers, or is said not to. */
const deadline = 1000;
/** A file that does not answer holds one of the four threads that all files of this process share. */
const maxHanging = 2;

const markOf = (path: string): Promise<string> =>
  lstat(path).then(
    ({ ino, mtimeMs }) => `${ino} ${mtimeMs}`,
    () => '-',
  );

/**
 * Looks at files of one disk, one after the other. One that does not answer is not asked again until it does, nor is
 * what comes after it; what cannot be seen is what it was.
 */
function createFingerprints(): (paths: readonly string[]) => Promise<string> {
  const hanging = new Set<string>();
  const known = new Map<string, string>();
  async function look(path: string): Promise<boolean> {
    if (hanging.has(path) || hanging.size >= maxHanging) return false;
    hanging.add(path);
    const mark = markOf(path).finally(() => hanging.delete(path));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, deadline, null);
    });
    const seen = await Promise.race([mark, late]);
    clearTimeout(timer);
    if (seen !== null) known.set(path, seen);
    return seen !== null;
  }
  return async (paths) => {
    for (const path of known.keys()) if (!paths.includes(path)) known.delete(path);
    for (const path of paths) if (!(await look(path))) break;
    return paths.map((path) => known.get(path) ?? '-').join('|');
  };
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
  const fingerprint = createFingerprints();
  const lookAtFiles = async (): Promise<void> => {
    // A slow disk may keep a look for longer than a second.
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
