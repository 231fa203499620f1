import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

interface Entry {
  readonly version: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly peer?: boolean;
  readonly hasInstallScript?: boolean;
}

const root = process.cwd();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Entry> };
const production = Object.entries(packages).filter(([path, entry]) => path !== '' && !entry.dev);
const reviewed = read('docs/dependencies.md');
const named = [...reviewed.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);

test('docs/dependencies.md has a line for everything that is asked for at run time', () => {
  const wanted = { ...manifest.dependencies, ...manifest.optionalDependencies };
  expect(named.slice().sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, version] of Object.entries(wanted))
    expect({ name, version }).toEqual({
      name,
      version: expect.stringMatching(/^(?:npm:[\w-]+@)?\d+\.\d+\.\d+$/) as unknown,
    });
});

test('what these bring along is what was reviewed, and nothing else', () => {
  const wanted = new Set([
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.optionalDependencies),
  ]);
  const brought = production
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
    .filter((name) => !wanted.has(name));
  const listed = /<!-- brought along -->\n([^]*?)\n<!-- end -->/.exec(reviewed)?.[1] ?? '';
  expect(listed.match(/[@\w][\w./@-]*/g)?.sort()).toEqual([...new Set(brought)].sort());
});

test('nothing of it runs a script when it is installed', () => {
  expect(production.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path)).toEqual([]);
});

test('every runtime is locked by hash, and of two for a Mac the one that starts on every macOS is the command of npm’s scripts', () => {
  const runtimes = Object.keys(manifest.optionalDependencies);
  for (const name of runtimes)
    expect(packages[`node_modules/${name}`]).toMatchObject({
      optional: true,
      integrity: expect.stringMatching(/^sha512-/) as unknown,
      bin: { node: 'bin/node' },
    });
  // The first one of that name that npm meets, in the order of paths.
  for (const [platform, processor, oldest] of [
    ['darwin', 'x64', 'old'],
    ['darwin', 'arm64', '11'],
    ['linux', 'x64', 'old'],
  ] as const)
    expect(
      runtimes
        .filter((name) => name.includes(platform) && name.endsWith(processor))
        .sort((one, other) => one.localeCompare(other, 'en'))[0],
    ).toBe(`node-${platform}-${oldest}-${processor}`);
});
