import { lstat } from 'node:fs/promises';
import { watch } from 'chokidar';

export interface FolderWatch {
  /** Watches exactly these folders from now on; those that are not there (yet) once a later call finds them. */
  readonly follow: (folders: readonly string[]) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** `null`: not a folder, or not there. A symbolic link is not followed. */
const identityOf = (folder: string): Promise<string | null> =>
  lstat(folder).then(
    (stats) => (stats.isDirectory() ? `${stats.dev}:${stats.ino}` : null),
    () => null,
  );

/**
 * Says when something changed in a folder, an entry came, went, or has another content, and when a folder is newly
 * watched. Only the folders themselves are: on macOS that costs FSEvents alone, while each watched file would cost a descriptor, of which 256 are the
 * soft limit, and opening it: a FIFO that is planted there would block the watcher.
 *
 * A watch belongs to an inode. Whoever renames, deletes or re-creates a folder is seen through the folder above it,
 * and the next `follow` watches what is there by then. Never throws.
 */
export function watchFolders(onChange: () => void): FolderWatch {
  const watched = new Map<string, { identity: string; close: () => Promise<void> }>();
  let stopped = false;

  function begin(folder: string, identity: string): void {
    const watcher = watch(folder, {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => path !== folder,
    });
    // `all` reports watched entries, and none is watched; `raw` reports what the system says of the folder.
    watcher.on('raw', onChange);
    watcher.on('error', () => undefined);
    watched.set(folder, { identity, close: () => watcher.close() });
    // What changed since it was last looked at nobody has told.
    watcher.on('ready', onChange);
  }

  async function end(folder: string): Promise<void> {
    const before = watched.get(folder);
    watched.delete(folder);
    await before?.close();
  }

  return {
    follow: async (folders) => {
      for (const folder of watched.keys()) if (!folders.includes(folder)) await end(folder);
      for (const folder of folders) {
        const identity = await identityOf(folder);
        if (watched.get(folder)?.identity === identity) continue;
        await end(folder);
        // It may have been stopped meanwhile.
        if (identity !== null && !isStopped()) begin(folder, identity);
      }
    },
    stop: async () => {
      stopped = true;
      for (const folder of [...watched.keys()]) await end(folder);
    },
  };

  function isStopped(): boolean {
    return stopped;
  }
}
