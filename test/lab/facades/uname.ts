/** `uname`: Darwin's words. Grammar of uname.c (FreeBSD's, Apple's): -a -m -n -p -r -s -v, nothing else. */
import { hostname } from 'node:os';
import { darwinOf } from './lib/releases.js';
import { type Caller, finish } from './lib/served.js';

export async function uname({ args, call }: Caller): Promise<never> {
  const { macos, processor } = await call<{ macos: string; processor: 'x86_64' | 'arm64' }>('mac.about');
  const release = darwinOf(macos).kernel;
  const words = {
    s: 'Darwin',
    n: hostname(),
    r: release,
    v: `Darwin Kernel Version ${release}: Tue Jun 11 21:00:00 PDT 2024; root:xnu-lab~1/RELEASE_${processor === 'arm64' ? 'ARM64_T8103' : 'X86_64'}`,
    m: processor,
    p: processor === 'arm64' ? 'arm' : 'i386',
  };
  const asked = new Set<string>();
  for (const arg of args) {
    if (!/^-[amnoprsv]+$/.test(arg)) {
      const bad = arg.startsWith('-')
        ? arg
            .slice(1)
            .match(/./g)
            ?.find((letter) => !'amnoprsv'.includes(letter))
        : undefined;
      finish(1, {
        err: `${bad === undefined ? '' : `uname: illegal option -- ${bad}\n`}usage: uname [-amnoprsv]\n`,
      });
    }
    for (const letter of arg.slice(1)) asked.add(letter);
  }
  if (asked.has('a')) for (const letter of 'snrvm') asked.add(letter);
  if (asked.has('o')) asked.add('s');
  if (asked.size === 0) asked.add('s');
  const order = ['s', 'n', 'r', 'v', 'm', 'p'] as const;
  return finish(0, {
    out: `${order
      .filter((letter) => asked.has(letter))
      .map((letter) => words[letter])
      .join(' ')}\n`,
  });
}
