/** What `tuntapctl logs` prints: the daemon’s log, its rotated files, and what launchd kept. */
import { appendFile, rename, utimes, writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { session, until } from './session.js';

const mac = session();
const { cli } = mac;

describe('logs', () => {
  const entry = (message: string): string =>
    `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message, pass: 'p1', more: 1 })}\n`;
  test('the last lines, readable; older ones from the rotated files; no daemon needed', async () => {
    await writeFile(`${mac.io.logPath}.3`, entry('zero'));
    await writeFile(`${mac.io.logPath}.2`, entry('one'));
    await writeFile(`${mac.io.logPath}.1`, entry('two'));
    await writeFile(mac.io.logPath, `${entry('three')}Segmentation fault\u001b[2J\n`);
    expect(await cli('logs', '-n', '3')).toBe(0);
    const lines = mac.out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^2026-03-0\d \d\d:\d\d:\d\d info {2}two \(pass p1\)$/);
    expect(lines[1]).toContain('three');
    expect(lines[2]).toBe('Segmentation fault [2J');
    mac.out = '';
    await cli('logs', '-n', '4');
    expect(mac.out.match(/zero|one|two|three|Segmentation/g)).toEqual([
      'one',
      'two',
      'three',
      'Segmentation',
    ]);
    mac.out = '';
    await cli('logs');
    expect(mac.out).toContain('zero');
    mac.out = '';
    await cli('logs', '-n', '1', '--json');
    await cli('logs', '-n', '0');
    expect(mac.out).toBe(String.raw`{"message":"Segmentation fault\u001b[2J"}` + '\n');
    expect(JSON.parse(mac.out)).toEqual({ message: 'Segmentation fault\u001b[2J' });
  });

  test('--json is one object a line, whatever stands in the file', async () => {
    await writeFile(mac.io.logPath, `${entry('one')}[1,2]\nnull\n`);
    await cli('logs', '--json');
    const lines = mac.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual([
      expect.objectContaining({ message: 'one' }),
      { message: '[1,2]' },
      { message: 'null' },
    ]);
  });

  test('-f waits for the rest of a line that is half there', async () => {
    await writeFile(mac.io.logPath, entry('one') + entry('two').slice(0, 20));
    const following = cli('logs', '-f');
    await until(() => mac.out.includes('one'));
    await appendFile(mac.io.logPath, entry('two').slice(20));
    await until(() => mac.out.includes('two'));
    mac.stop.abort();
    expect(await following).toBe(0);
    expect(mac.out.match(/info +\w+/g)).toEqual(['info  one', 'info  two']);
    expect(mac.out.trimEnd().split('\n')).toHaveLength(2);
  });

  test('more lines than a chunk holds', async () => {
    await writeFile(
      mac.io.logPath,
      Array.from({ length: 5000 }, (_, index) => entry(`line ${index} ü`)).join(''),
    );
    await cli('logs', '-n', '3000');
    const lines = mac.out.trimEnd().split('\n');
    expect(lines).toHaveLength(3000);
    expect(lines[0]).toContain('line 2000 ü');
    expect(lines.at(-1)).toContain('line 4999 ü');
  });

  describe('of all lines, also of rotated files, those that are asked for', () => {
    const at = (time: string, level: string, message: string): string =>
      `${JSON.stringify({ time: `2026-03-04T${time}.000Z`, level, message })}\n`;
    const messages = (): string[] =>
      mac.out
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/^\S+ \S+ \w+ +/, ''));

    beforeEach(async () => {
      await writeFile(
        `${mac.io.logPath}.1`,
        at('03:00:00', 'error', 'old error') + at('04:30:00', 'info', 'tap1 is there'),
      );
      const crash = 'Segmentation fault\n';
      await writeFile(
        mac.io.logPath,
        at('05:00:00', 'warn', 'route lost') + crash + at('05:10:00', 'info', 'Route back'),
      );
    });

    test.each<[string, string[]]>([
      ['--since 1h', ['tap1 is there', 'route lost', 'Segmentation fault', 'Route back']],
      ['--since 1h -n 2', ['Segmentation fault', 'Route back']],
      ['--since 2026-03-04T05:05:00Z', ['Route back']],
      ['--level warn', ['old error', 'route lost', 'Segmentation fault']],
      ['--level error -n 1', ['Segmentation fault']],
      ['--grep ROUTE', ['route lost', 'Route back']],
      ['--grep ^$ --level error', ['']],
      ['--since 1h --level warn --grep lost', ['route lost']],
    ])('%s', async (options, expected) => {
      expect(await cli('logs', ...options.split(' '))).toBe(0);
      expect(messages()).toEqual(expected);
    });

    test('-f shows and waits for no others', async () => {
      const following = cli('logs', '-f', '--level', 'warn');
      await until(() => mac.out.includes('route lost'));
      await appendFile(mac.io.logPath, at('05:20:00', 'info', 'no') + at('05:20:01', 'error', 'yes'));
      await until(() => mac.out.includes('yes'));
      mac.stop.abort();
      await following;
      expect(messages()).toEqual(['old error', 'route lost', 'Segmentation fault', 'yes']);
    });

    test.each(['--since yesterday', '--since 1w', '--level loud', '--grep ('])(
      '%s is a usage error',
      async (options) => {
        expect(await cli('logs', ...options.split(' '))).toBe(2);
      },
    );

    test('what launchd kept of a crash comes after it, and counts as the worst', async () => {
      await writeFile(mac.io.layout.launchdLog, 'node: out of memory\u001b[2J\nat main\n');
      await cli('logs', '--level', 'error');
      expect(mac.out).toMatch(
        /old error[^]*launchd\.log, which was last written at .*:\n {2}node: out of memory \[2J\n {2}at main\n$/,
      );
      mac.out = '';
      await cli('logs', '--grep', 'memory', '--json');
      expect(JSON.parse(mac.out)).toEqual({
        message: 'node: out of memory\u001b[2J',
        source: mac.io.layout.launchdLog,
      });
      mac.out = '';
      await utimes(mac.io.layout.launchdLog, 0, 0);
      await cli('logs', '--since', '1h');
      expect(mac.out).not.toContain('memory');
    });
  });

  test('no log yet', async () => {
    expect(await cli('logs')).toBe(1);
    expect(mac.errors).toContain('there is no log yet');
  });

  test('-f waits for the log, follows it, also over a rotation and a cut', async () => {
    const following = cli('logs', '-f');
    await until(() => mac.errors.includes('no log yet'));
    await writeFile(mac.io.logPath, entry('first'));
    await until(() => mac.out.includes('first'));
    await appendFile(mac.io.logPath, entry('second').slice(0, 20));
    await appendFile(mac.io.logPath, entry('second').slice(20));
    await until(() => mac.out.includes('second'));
    await appendFile(mac.io.logPath, entry('last of the old'));
    await rename(mac.io.logPath, `${mac.io.logPath}.1`);
    await writeFile(mac.io.logPath, entry('first of the new'));
    await until(() => mac.out.includes('first of the new'));
    await writeFile(mac.io.logPath, entry('cut'));
    await until(() => mac.out.includes('cut'));
    mac.stop.abort();
    expect(await following).toBe(0);
    expect(mac.out.match(/first|second|last of the old|first of the new|cut/g)).toEqual([
      'first',
      'second',
      'last of the old',
      'first',
      'cut',
    ]);
  });
});
