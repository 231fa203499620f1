import { lstat } from 'node:fs/promises';
import { ConfigError, loadConfig } from './load.js';
import type { Config } from './schema.js';

/** What was found: a configuration, or why there is none. */
export type Followed = { readonly config: Config } | { readonly problem: string };

const fingerprint = async (path: string): Promise<string> => {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await lstat(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
};

/**
 * Looks at the configuration file at `path` again and again: each call returns the configuration when the file changed
 * since the last one that was taken (always at the first), the problem as long as there is one, else null. Costs one
 * lstat while nothing changes. `owner` as for `loadConfig`; throws nothing that a file can cause.
 */
export function followConfig(path: string, options: { owner?: number } = {}): () => Promise<Followed | null> {
  let last: string | null = null;
  return async () => {
    const now = await fingerprint(path);
    if (now === last) return null;
    // What is wrong may lie outside of the file, in a folder on the way: mending it leaves the file as it was.
    last = null;
    try {
      const { config } = await loadConfig(path, options);
      last = now;
      return { config };
    } catch (error) {
      if (error instanceof ConfigError) return { problem: error.message };
      throw error;
    }
  };
}
