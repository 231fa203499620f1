import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

export interface Image {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
  readonly engineVersion: string;
}

const here = import.meta.dirname;
const inputs = ['build-image.sh', 'init.sh', 'initramfs-init.sh'];
const cache = process.env['TUNTAPD_LAB_CACHE'] ?? '/var/cache/tuntapd-lab';

/** Milliseconds an image of other inputs (another checkout's, an older one's) is kept. */
const keepFor = 7 * 24 * 3_600_000;

/** One builder at a time: the kernel gives the lock back when this process ends, however it does. */
async function locked<T>(lock: string, work: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  try {
    return await work();
  } finally {
    holder.stdin.end();
  }
}

function build(suite: string, folder: string, progress: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const builder = spawn('/bin/bash', [join(here, 'build-image.sh'), suite, folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: string[] = [];
    builder.stdout.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').filter(Boolean)) progress(`${suite}: ${line}`);
    });
    builder.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    builder.once('error', reject);
    builder.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`the VM image of ${suite} could not be built (${code ?? 'killed'}):\n${said.join('')}`),
        );
    });
  });
}

/** The VM image of a Debian suite, built once and kept outside the repository under a name made of its inputs. */
export async function ensureImage(
  suite: 'bookworm' | 'trixie' | 'sid',
  progress: (line: string) => void,
): Promise<Image> {
  const key = createHash('sha256');
  for (const name of inputs) key.update(readFileSync(join(here, name)));
  const folder = join(cache, `${suite}-${key.digest('hex').slice(0, 16)}`);
  mkdirSync(cache, { recursive: true });
  await locked(join(cache, `.${suite}.lock`), async () => {
    if (existsSync(join(folder, 'engine-version'))) {
      // Whoever tidies up sees that it is in use.
      utimesSync(folder, new Date(), new Date());
      return;
    }
    for (const name of readdirSync(cache).filter((entry) => entry.startsWith(`${suite}-`))) {
      const old = join(cache, name);
      if (Date.now() - statSync(old).mtimeMs > keepFor) rmSync(old, { recursive: true, force: true });
    }
    await build(suite, folder, progress);
  });
  const engineVersion = readFileSync(join(folder, 'engine-version'), 'utf8').trim();
  if (suite === 'sid' && Number.parseInt(engineVersion, 10) < 28)
    throw new Error(`sid’s Docker Engine is ${engineVersion}; the rules of 28 would stay unseen`);
  progress(`Docker Engine ${engineVersion} of ${suite}`);
  return {
    kernel: join(folder, 'kernel'),
    initrd: join(folder, 'initrd'),
    disk: join(folder, 'disk'),
    engineVersion,
  };
}
