/** A user's Docker.app beside the daemon's state, in a folder `base`; and the child that works in it, to be traced. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { WorkerRequest } from '../../../daemon/docker-app/bundle-protocol.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import type { Program } from './trace.js';

export const bin = 'Docker.app/Contents/Resources/bin';
export const hyperkit = `${bin}/com.docker.hyperkit`;
export const owner = { uid: 501, gid: 20 };

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A folder of the test's own, with these programs of the repository compiled in it as `NAME.mjs`. */
export async function workshop(programs: Readonly<Record<string, string>>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-crash-'));
  chmodSync(folder, 0o755);
  await build({
    entryPoints: programs,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    loader: { '.sh': 'text', '.agent': 'binary' },
    logLevel: 'error',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  // For the owner of the bundle too, whatever the umask is here.
  for (const name of Object.keys(programs)) chmodSync(join(folder, `${name}.mjs`), 0o644);
  return folder;
}

export const workerSource = 'daemon/docker-app/bundle-worker.ts';

export function newBundle(base: string, whose = owner): string {
  mkdirSync(base, { mode: 0o755, recursive: true });
  writeDockerApp({ path: join(base, 'Docker.app'), owner: whose, version: '4.1.1' });
  return base;
}

const journal = (base: string): string => join(base, 'state/originals.json');

/** SHA-256 of the original that the journal has. */
export function journalled(base: string): string | null {
  if (!existsSync(journal(base))) return null;
  const originals = JSON.parse(readFileSync(journal(base), 'utf8')) as Record<string, { sha256: string }>;
  return originals[join(base, hyperkit)]?.sha256 ?? null;
}

/** Makes `to` what `from` is, which was made to lie at `home`: the journal names absolute paths. */
export function copy(from: string, to: string, home = from): void {
  rmSync(to, { recursive: true, force: true });
  execFileSync('/bin/cp', ['-a', from, to]);
  if (existsSync(journal(to)))
    writeFileSync(journal(to), readFileSync(journal(to), 'utf8').replaceAll(home, to));
}

/** The child with a request about the bundle in `base`. */
export function childProgram(worker: string, base: string, request: WorkerRequest): Program {
  const { dev, ino } = lstatSync(join(base, bin), { bigint: true });
  return {
    command: [process.execPath, worker],
    input: JSON.stringify({ ...request, app: join(base, 'Docker.app'), folder: `${dev}:${ino}` }),
    base,
    log: `${base}.trace`,
  };
}

/** Does `work` for each, on as many at once as there are processors. Each of these has a number of its own. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T, slot: number) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const drain = async (slot: number): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item, slot);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, (_, slot) => drain(slot)));
}
