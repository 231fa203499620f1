import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machO } from './mach-o.js';

/** Where Homebrew puts programs. */
export const brewPrefix = (processor: 'x86_64' | 'arm64'): string =>
  processor === 'arm64' ? '/opt/homebrew' : '/usr/local';

/** Writes colima and limactl where Homebrew has them, as its user's. */
export function installColima(prefix: string, owner: { uid: number; gid: number }): void {
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  for (const name of ['colima', 'limactl']) {
    const file = join(prefix, 'bin', name);
    writeFileSync(file, machO(name), { mode: 0o755 });
    chownSync(file, owner.uid, owner.gid);
  }
}

/** The places of colima's default profile below its user's home. */
export const colimaPaths = (home: string) => ({
  instance: join(home, '.colima/_lima/colima'),
  socket: join(home, '.colima/default/docker.sock'),
  dockerConfig: join(home, '.docker/config.json'),
  /** docker's context store names a context's folder by the SHA-256 of its name. */
  context: join(home, '.docker/contexts/meta', createHash('sha256').update('colima').digest('hex')),
});
