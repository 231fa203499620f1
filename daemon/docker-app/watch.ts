import { watch } from 'chokidar';

/**
 * Says when something changed in one of the folders (their direct entries only: on macOS every watch costs a file
 * descriptor). Folders that do not exist (yet) are watched as soon as they do. Never throws.
 */
export function watchFolders(
  folders: readonly string[],
  onChange: () => void,
): { stop: () => Promise<void> } {
  const watcher = watch([...folders], { depth: 0, ignoreInitial: true, followSymlinks: false });
  watcher.on('all', onChange);
  watcher.on('error', () => undefined);
  return { stop: () => watcher.close() };
}
