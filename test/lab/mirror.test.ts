/** The VM's images come from the mirror that the machine has its own packages from. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

let folder: string;

const write = (path: string, content: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};
const mirror = (name: string, label: string, suites: readonly string[]): void => {
  for (const suite of suites) {
    write(
      `${name}/dists/${suite}/Release`,
      `Origin: Debian\nLabel: ${label}\nSuite: ${suite}\nCodename: ${suite}\nArchitectures: amd64\nComponents: main\n`,
    );
    write(`${name}/dists/${suite}/main/binary-amd64/Packages`, '');
  }
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mirror-'));
  mirror('old', 'Debian', ['bookworm']);
  mirror('near', 'Debian', ['bookworm', 'trixie']);
  mirror('security', 'Debian-Security', ['bookworm', 'trixie', 'sid']);
  mirror('company', 'Company', ['bookworm', 'sid']);
  write('mirrors.list', `# nearest first\nfile:${folder}/near\nfile:${folder}/old\n`);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What is taken for a suite on a machine with these sources. */
function taken(suite: string, sources: Record<string, string>): string {
  const apt = join(folder, 'apt');
  rmSync(apt, { recursive: true, force: true });
  for (const part of ['lists/partial', 'sources.list.d', 'archives/partial'])
    mkdirSync(join(apt, part), { recursive: true });
  for (const [name, text] of Object.entries(sources)) write(`apt/sources.list.d/${name}`, text);
  write(
    'apt/apt.conf',
    `Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "${apt}/sources.list.d"; Dir::State::lists "${apt}/lists";
     Dir::Cache "${apt}"; APT::Sandbox::User "root"; APT::Architecture "amd64"; APT::Architectures { "amd64"; };
     APT::Update::Post-Invoke-Success ""; Acquire::Languages "none";`,
  );
  const env = { ...process.env, APT_CONFIG: join(apt, 'apt.conf') };
  execFileSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore' });
  const script = join(import.meta.dirname, 'vm/mirror.sh');
  return execFileSync(script, [suite], { env, encoding: 'utf8' }).trim().replace(folder, '');
}
const source = (name: string, suites: string): string =>
  `Types: deb\nURIs: ${name.replaceAll('file:', `file:${folder}/`)}\nSuites: ${suites}\nComponents: main\nTrusted: yes\n`;

test('the machine’s own, however it is written, when it has the suite', () => {
  const company = `deb [trusted=yes] file:${folder}/company bookworm main\n`;
  const security = source('file:security', 'bookworm');
  expect(
    taken('trixie', {
      'a.list': company,
      'b.sources': security,
      'c.sources': source('file:near', 'bookworm'),
    }),
  ).toBe('file:/near');
  expect(taken('bookworm', { 'a.list': `deb [trusted=yes] file:${folder}/old bookworm main\n` })).toBe(
    'file:/old',
  );
});

test('the one of several that has it', () => {
  expect(
    taken('trixie', {
      'a.sources': source('file:old', 'bookworm'),
      'b.sources': source('file:near', 'bookworm'),
    }),
  ).toBe('file:/near');
});

test('the first of a cloud image’s list', () => {
  const list = `deb [trusted=yes] mirror+file:${folder}/mirrors.list bookworm main\n`;
  expect(taken('trixie', { 'a.list': list })).toBe('file:/near');
});

test('Debian’s own when none has it', () => {
  expect(
    taken('sid', {
      'a.sources': source('file:near', 'bookworm'),
      'b.sources': source('file:security', 'sid'),
    }),
  ).toBe('http://deb.debian.org/debian');
});
