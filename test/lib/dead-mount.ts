import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** A mount whose server answers nothing any more. */
export interface DeadMount {
  readonly folder: string;
  /** Whoever waits is told that nobody is there, and the folder is an ordinary one again. */
  readonly end: () => void;
}

/** Makes `folder`, where every look into it hangs and no signal ends who looks. For root. */
export async function mountDead(folder: string): Promise<DeadMount> {
  mkdirSync(folder, { recursive: true });
  const server = spawn(process.execPath, [join(import.meta.dirname, 'dead-mount-server.mjs'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'exit').then(() => Promise.reject(new Error('no mount by FUSE here'))),
  ]);
  // Also where this process is killed: the end of its pipe is what the guardian waits for.
  const guardian = spawn(
    'sh',
    ['-c', 'cat; kill -KILL "$1"; umount -l "$2"', 'sh', String(server.pid), folder],
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  );
  return {
    folder,
    end: () => {
      guardian.kill('SIGKILL');
      server.kill('SIGKILL');
      spawnSync('umount', ['-l', folder]);
    },
  };
}
