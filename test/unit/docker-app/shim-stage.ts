/** A shim in a folder of the test's own, with an original that tells its arguments. */
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const mac = '02:74:75:6e:74:61';

/** macOS's /bin/sh is one of these, by that name (/private/var/select/sh). */
export const shells = ['dash', 'bash', 'zsh'];

export const folder = mkdtempSync(join(tmpdir(), 'shim-'));
export const hyperkit = join(folder, 'com.docker.hyperkit');
export const shellOf = (name: string): string => join(folder, name, 'sh');

export function script(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** Puts this shim, the original and the shells in place. */
export function stage(shim: string): void {
  chmodSync(folder, 0o755);
  for (const name of shells) {
    mkdirSync(join(folder, name));
    symlinkSync(`/bin/${name}`, shellOf(name));
  }
  script(hyperkit, shim);
  script(`${hyperkit}.original`, '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n');
}

/** The arguments in what the original printed. */
export const wordsIn = (stdout: string): string[] => stdout.split('\0').slice(0, -1);
