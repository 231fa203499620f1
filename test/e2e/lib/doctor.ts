/** Doctor as a person uses it: what it prints as wrong, and what it prints for that, typed. */
import { expect } from '@jest/globals';
import type { Mac } from '../../lab/lab.js';
import { until } from '../../lib/until.js';

export interface Finding {
  readonly code: string;
  /** As printed. */
  readonly detail: string;
  /** As printed, after the arrows. */
  readonly fix: readonly string[];
}

type Sign = 'ok' | 'FAIL' | '?' | '-';

const findingsIn = (stdout: string): readonly (Finding & { readonly sign: Sign })[] =>
  stdout.split(/^(?=(?:ok|FAIL|\?|-) +TT\d)/m).flatMap((part) => {
    const [, sign, code = ''] = /^(\S+) +(TT\d+) /.exec(part) ?? [];
    if (sign === undefined) return [];
    const fix = [...part.matchAll(/^ +-> (.*)$/gm)].map(([, text = '']) => text);
    return [{ sign: sign as Sign, code, detail: part, fix }];
  });

/** What doctor prints with this sign. Rejects where it does not come to its end, or ends as it does of something else. */
export async function printedAs(sign: Sign, mac: Mac): Promise<readonly Finding[]> {
  const { stdout, stderr, exitCode } = await mac.run(['/opt/tuntapd/bin/tuntapctl', 'doctor'], {
    timeout: 60_000,
  });
  const [, wrong] = /^\d+ as it should be, (\d+) wrong/m.exec(stdout) ?? [];
  const findings = findingsIn(stdout);
  const failing = findings.filter((each) => each.sign === 'FAIL').length;
  // 3: no daemon runs, which is told as wrong too.
  const codes = failing > 0 ? [4, 3] : [0];
  if (Number(wrong) !== failing || !codes.includes(exitCode))
    throw new Error(`doctor ended with ${exitCode}:\n${stderr}${stdout}`);
  return findings.filter((each) => each.sign === sign);
}

/** What doctor finds wrong once that is these, and nothing else. */
export async function raised(mac: Mac, codes: readonly string[]): Promise<readonly Finding[]> {
  let last: readonly Finding[] = [];
  return until(`doctor finds ${codes.join(' and ') || 'nothing'} wrong`, 60, async () => {
    last = await printedAs('FAIL', mac);
    return last.map(({ code }) => code).join() === codes.join() && last;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; last: ${JSON.stringify(last)}`);
  });
}

/** What a person may type in a checkout that others still need. */
const typed = /^(?!Or )(?:.*: )?((?:sudo|tuntapctl|docker|scutil|netstat|grep|ls) .*)$/;

/** Types what is printed, line by line, in the checkout: commands, also behind what they are for, and no second ways. */
export async function type(mac: Mac, findings: readonly Finding[]): Promise<void> {
  for (const line of findings.flatMap(({ fix }) => fix)) {
    const [, command] = typed.exec(line) ?? [];
    if (command !== undefined)
      await mac.run(['/bin/sh', '-c', command], { cwd: process.cwd(), timeout: 180_000 });
  }
}

/** Doctor finds this one code wrong and says this of what to do; that is done, and what is printed typed: all is well. */
export async function mended(
  mac: Mac,
  code: string,
  { says, done }: { says: RegExp; done?: () => unknown },
): Promise<void> {
  const findings = await raised(mac, [code]);
  expect(findings[0]?.fix.join('\n')).toMatch(says);
  await done?.();
  await type(mac, findings);
  await raised(mac, []);
}
