/** The kernel's registry of executable formats (binfmt_misc), which is one for the whole machine. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The command that runs lines of a shell in the registry, whatever is mounted where the machine has it. */
export const inRegistry = (script: string): [string, string[]] => [
  'unshare',
  ['--mount', 'bash', '-euc', `. "$0"; cd "$registry"; ${script}`, join(import.meta.dirname, 'registry.sh')],
];

/** Runs lines of a shell in the registry and returns its entries. */
export const registered = (script = ':'): string[] =>
  execFileSync(...inRegistry(`${script}\nls`), { encoding: 'utf8' })
    .trim()
    .split('\n');

/** The labs' entries. */
export const labEntries = (): string[] => registered().filter((name) => name.startsWith('tuntapd-lab-'));

/** The pid of the shell that keeps the lab which process `runner` booted; its entry bears it. Throws without one. */
export function keeperOf(runner: number | undefined): number {
  const keeper = labEntries()
    .map((name) => Number(name.split('-').at(-1)))
    .find((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(runner);
      } catch {
        return false;
      }
    });
  if (keeper === undefined) throw new Error('the lab has no entry in binfmt_misc');
  return keeper;
}
