import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';

export interface Identity {
  readonly sha256: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly mtime: number;
}

/** What must be the same again after an uninstall: bytes, owner, mode and modification time. */
export function identityOf(path: string): Identity {
  const { uid, gid, mode, mtimeMs } = lstatSync(path);
  return {
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
    uid,
    gid,
    mode,
    mtime: mtimeMs,
  };
}
