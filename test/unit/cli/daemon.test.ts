/** What the daemon is asked, how it is told, and what is said without one. */
import { expect, test } from '@jest/globals';
import { withProgress } from '../../../cli/progress.js';
import { madeUpStatus } from './made-up.js';
import { session } from './session.js';

const mac = session();
const { cli, daemon } = mac;

test.each([['status'], ['status --watch'], ['up'], ['routes'], ['doctor TT008']])(
  '%s without a daemon ends with 3',
  async (command) => {
    expect(await cli(...command.split(' '))).toBe(3);
    expect(mac.out + mac.errors).toContain(
      'tuntapd is not running: sudo launchctl kickstart -k system/io.github.tuntapd, or see tuntapctl doctor',
    );
  },
);

test.each([['up'], ['down'], ['restart']])('%s asks the daemon', async (action) => {
  const asked = await daemon();
  expect(await cli(action)).toBe(0);
  expect(asked).toEqual([action]);
});

test('shim restore asks the daemon', async () => {
  const asked = await daemon();
  expect(await cli('shim', 'restore')).toBe(0);
  expect(asked).toEqual(['restore']);
});

test('what is not done is told and ends with 1', async () => {
  await daemon(madeUpStatus(), { done: false, problems: ['tap3 is busy'] });
  expect(await cli('up')).toBe(1);
  expect(mac.out).toContain('tap3 is busy');
  mac.out = '';
  expect(await cli('up', '--json')).toBe(1);
  expect(JSON.parse(mac.out)).toEqual({ done: false, problems: ['tap3 is busy'] });
});

test('what takes over a second tells for how long, on a terminal alone', async () => {
  const slow = async (isTTY: boolean): Promise<string> => {
    mac.errors = '';
    mac.io = { ...mac.io, now: Date.now, stderr: { ...mac.io.stderr, isTTY } };
    const work = new Promise<number>((resolve) => setTimeout(resolve, 2300, 7));
    expect(await withProgress(mac.io, 'up', work)).toBe(7);
    return mac.errors;
  };
  expect(await slow(true)).toBe('\rup: 1 s\u001b[K\rup: 2 s\u001b[K\r\u001b[K');
  expect(await slow(false)).toBe('');
});

test('metrics prints what the daemon counts', async () => {
  expect(await cli('metrics')).toBe(3);
  await daemon();
  expect(await cli('metrics')).toBe(0);
  expect(mac.out).toBe('tuntapd_passes_total 1\ntuntapd_info{version=" [2J"} 1\n');
});

test('version, with and without a daemon', async () => {
  expect(await cli('version', '--json')).toBe(0);
  expect(JSON.parse(mac.out)).toEqual({ tuntapctl: '1.2.3', tuntapd: null, format: 1 });
  await daemon();
  mac.out = '';
  expect(await cli('version')).toBe(0);
  expect(mac.out).toBe('tuntapctl 1.2.3\ntuntapd   1.2.3 (pid 4711)\n');
});
