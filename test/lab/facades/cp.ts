/**
 * `cp [-R [-H | -L | -P]] [-fi | -n] [-apvXc] SOURCE… TARGET` as before macOS 12, which brought -l, -s and -x (file_cmds,
 * cp.c and utils.c): the product must not need them. `-c` clones by clonefile(2): within one volume, when that is APFS.
 * The Mac's own disk is; whatever is mounted below it is not.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { call } from '../mac/rpc.js';
import { finish } from './lib/say.js';

const usage = `usage: cp [-R [-H | -L | -P]] [-fi | -n] [-apvXc] source_file target_file
       cp [-R [-H | -L | -P]] [-fi | -n] [-apvXc] source_file ... target_directory
`;
const exUsage = 64;

const words = process.argv.slice(2);
let flags = '';
while (words[0]?.startsWith('-') && words[0] !== '-') {
  const option = words.shift() ?? '';
  if (option === '--') break;
  const illegal = /[^cHLPRXafinprv]/.exec(option.slice(1))?.[0];
  if (illegal !== undefined) finish(exUsage, { err: `cp: illegal option -- ${illegal}\n${usage}` });
  flags += option.slice(1);
}
const has = (flag: string): boolean => flags.includes(flag);
const target = words.pop() ?? '';
if (words.length === 0) finish(exUsage, { err: usage });
if (has('c') && has('X')) finish(1, { err: 'cp: the -c and -X options may not be specified together\n' });
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
if (words.length > 1 && !isFolder(target)) finish(1, { err: `cp: ${target} is not a directory\n` });
const { macos } = await call<{ macos: string }>('mac.about');

/** Debian's cp does the work; what it complains of is said in macOS's words. `what` stands before an error's own words. */
function copy(options: readonly string[], source: string, what = ''): boolean {
  const { status, stderr } = spawnSync('/.lab/bin/cp', [...options, '--', source, target], {
    argv0: 'cp',
    encoding: 'utf8',
    env: { LC_ALL: 'C' },
    stdio: ['inherit', 'inherit', 'pipe'],
  });
  process.stderr.write(
    stderr
      .replaceAll(
        /^cp: -r not specified; omitting directory '(.*)'$/gm,
        'cp: $1 is a directory (not copied).',
      )
      .replaceAll(/^cp: '(.*)' and '(.*)' are the same file$/gm, 'cp: $1 and $2 are identical (not copied).')
      .replaceAll(/^cp: [^'\n]*'(.*)': ([^'\n]*)$/gm, `cp: $1: ${what}$2`),
  );
  return status === 0;
}

const letters = flags.replaceAll('a', 'pPR').replaceAll('r', 'RL');
const passedOn = letters.match(letters.includes('R') ? /[^cX]/g : /[^cXHLP]/g) ?? [];
const options = passedOn.map((letter) =>
  letter === 'p' ? '--preserve=mode,ownership,timestamps' : `-${letter}`,
);

/** Where the disk is mounted that has the path: `/` for all that the lab itself lays out. */
function volumeOf(path: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([device, place]) => place !== undefined && device?.startsWith('lab') !== true)
    .map(([, place = '']) => place.replaceAll('\\040', ' '));
  return (
    mounts.filter((place) => `${path}/`.startsWith(`${place}/`)).toSorted((a, b) => b.length - a.length)[0] ??
    '/'
  );
}

/** By clonefile(2), which takes over owner, mode, times and attributes. */
function clone(source: string): boolean {
  if (!existsSync(source) || isFolder(source)) return copy(options, source);
  const to = isFolder(target) ? join(target, basename(source)) : target;
  if (existsSync(dirname(to))) {
    const volume = volumeOf(realpathSync(dirname(to)));
    const isElsewhere = volumeOf(realpathSync(source)) !== volume;
    if (isElsewhere || volume !== '/') {
      if (lstatSync(to, { throwIfNoEntry: false })) rmSync(to);
      // Newer ones copy where the disk has no clones (file_cmds-428), not where there are two disks.
      if (!isElsewhere && Number.parseInt(macos, 10) >= 14) return copy(options, source);
      const why = isElsewhere ? 'Cross-device link' : 'Operation not supported';
      process.stderr.write(`cp: ${to}: clonefile failed: ${why}\n`);
      return false;
    }
  }
  return copy(['--preserve=all', '--reflink=auto', '--remove-destination'], source, 'clonefile failed: ');
}

const besides = has('c') ? /[aRrin]/.exec(flags)?.[0] : undefined;
if (besides !== undefined) finish(70, { err: `cp: the lab has no -c with -${besides}\n` });
const done = words.map((source) => (has('c') ? clone(source) : copy(options, source)));
process.exitCode = done.every(Boolean) ? 0 : 1;
