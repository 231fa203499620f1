/** The official builds of Node for Macs that package-lock.json names, from npm, whatever machine this is. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Brings one to `folder`, found to be what `integrity` says. Throws when it is not. */
function fetchTo(folder, parent, { name, version, integrity }) {
  const work = mkdtempSync(join(parent, '.new-'));
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', work], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const packed = join(work, readdirSync(work).find((file) => file.endsWith('.tgz')) ?? '');
    const found = `sha512-${createHash('sha512').update(readFileSync(packed)).digest('base64')}`;
    if (found !== integrity)
      throw new Error(`${name} ${version} from npm is not the one of package-lock.json: ${found}`);
    const unpacked = join(work, 'package');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xzf', packed, '-C', unpacked, '--strip-components', '1']);
    renameSync(unpacked, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The folder, below `cache`, with a package of each of `runtimes`, as package-lock.json has them by name. Throws. */
export function npmRuntimes(runtimes, cache) {
  const versions = Object.entries(runtimes).map(([name, { version }]) => `${name}-${version}`);
  const parent = join(cache, createHash('sha256').update(versions.join()).digest('hex').slice(0, 12));
  mkdirSync(parent, { recursive: true });
  for (const [name, runtime] of Object.entries(runtimes)) {
    const folder = join(parent, name);
    if (existsSync(folder)) continue;
    console.log(`fetching ${runtime.name ?? name} ${runtime.version}`);
    fetchTo(folder, parent, { name, ...runtime });
  }
  return parent;
}
