import { lstat } from 'node:fs/promises';
import { ConfigError, loadConfig } from './load.js';
import type { Config } from './schema.js';

/** What was found when the file had changed: a configuration, or why there is none. */
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
 * Looks at the configuration file at `path` again and again: each call returns what the file says when it changed
 * since the last call (always at the first), else null. Costs one lstat while nothing changes. `owner` as for
 * `loadConfig`; throws nothing that a file can cause.
 */
export function followConfig(path: string, options: { owner?: number } = {}): () => Promise<Followed | null> {
  let last: string | null = null;
  return async () => {
    const now = await fingerprint(path);
    if (now === last) return null;
    last = now;
    try {
      return { config: (await loadConfig(path, options)).config };
    } catch (error) {
      if (error instanceof ConfigError) return { problem: error.message };
      throw error;
    }
  };
}
