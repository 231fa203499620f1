import { expect, test } from '@jest/globals';
import { layoutAt } from '../../../daemon/lib/layout.js';
import { rotationOf } from '../../../launchd/newsyslog.js';

interface Rule {
  readonly path: string;
  readonly owner: string | null;
  readonly group: string | null;
  readonly mode: number;
  readonly count: number;
  /** Kilobytes. */
  readonly size: number | null;
  readonly when: string | null;
  readonly flags: string;
}

/** newsyslog.conf(5), fields as newsyslog.c takes them one after the other. Throws at what it would not take. */
function rulesOf(text: string): readonly Rule[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  return text
    .split('\n')
    .map((line) => line.replace(/(?<!\\)#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(/[ \t]+/);
      const next = (what: string, pattern: RegExp): string => {
        const field = fields.shift();
        if (field === undefined || !pattern.test(field)) throw new Error(`bad ${what} in: ${line}`);
        return field;
      };
      const path = next('name', /^\//);
      const owners = /[:.]/.test(fields[0] ?? '') ? next('owner', /^[a-z_]*[:.][a-z_]*$/) : ':';
      const [owner, group] = owners.split(/[:.]/);
      const mode = Number.parseInt(next('mode', /^[0-7]{3,4}$/), 8);
      const count = Number(next('count', /^\d+$/));
      const size = next('size', /^(?:\d+|\*)$/);
      const when = next('time', /^(?:\d+|\*|@.+|\$.+)$/);
      const flags =
        fields.length > 0 && !fields[0]?.startsWith('/') ? next('flag', /^(?:-|[BCGJNRUWZ]+)$/i) : '';
      if (fields.length > 0) next('pid file', /^\//);
      if (fields.length > 0) next('signal', /^\d+$/);
      if (fields.length > 0) throw new Error(`too much in: ${line}`);
      return {
        path,
        owner: owner === '' ? null : (owner ?? null),
        group: group === '' ? null : (group ?? null),
        mode,
        count,
        size: size === '*' ? null : Number(size),
        when: when === '*' ? null : when,
        flags,
      };
    });
}

test('launchd.log is rotated by its size, and stays as readable as it was', () => {
  expect(rulesOf(rotationOf(layoutAt()))).toEqual([
    {
      path: '/var/log/tuntapd/launchd.log',
      owner: 'root',
      group: 'admin',
      mode: 0o640,
      count: 2,
      size: 100,
      when: null,
      flags: 'N',
    },
  ]);
});

test.each([
  ['no name', 'launchd.log root:admin 640 2 100 * N\n'],
  ['no mode', '/var/log/x root:admin 2 100 * N\n'],
  ['no time', '/var/log/x root:admin 640 2 100 N\n'],
  ['an unknown flag', '/var/log/x 640 2 100 * Q\n'],
  ['a cut line', '/var/log/x 640 2 100 * N'],
])('a line with %s is none', (_what, text) => {
  expect(() => rulesOf(text)).toThrow();
});
