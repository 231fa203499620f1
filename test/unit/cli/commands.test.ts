/** What single commands say where something is unusual. */
import { utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { main } from '../../../cli/main.js';
import type { Condition, Status } from '../../../daemon/api/messages.js';
import { healthyStatus } from './scenes.js';
import { type Stage, stage } from './stage.js';

let mac: Stage;
beforeEach(async () => {
  mac = await stage();
});
afterEach(() => mac.end());

const withCondition = (told: Partial<Condition> & { type: string }): Status => ({
  ...healthyStatus,
  conditions: healthyStatus.conditions.map((each) => (each.type === told.type ? { ...each, ...told } : each)),
});

describe('names', () => {
  test.each<[string, Partial<Condition>, string]>([
    [
      'macOS does not find',
      { status: 'False', reason: 'NotTaken', message: 'a VPN has replaced its DNS' },
      '\n\n! macOS does not find these names: a VPN has replaced its DNS (see tuntapctl doctor TT120)\n',
    ],
    [
      'may have changed since',
      { status: 'Unknown', reason: 'NotSeen', message: 'which containers run is not known now' },
      '\n\n! which containers run is not known now (see tuntapctl doctor TT120)\n',
    ],
  ])('that %s are listed with that', async (_what, told, end) => {
    await mac.daemon(withCondition({ type: 'Names', ...told }));
    const { out } = await mac.cli(['names']);
    expect(out).toContain('web.docker');
    expect(out.endsWith(end)).toBe(true);
  });

  test('that macOS finds are listed alone', async () => {
    await mac.daemon(healthyStatus);
    expect((await mac.cli(['names'])).out).not.toContain('!');
  });
});

describe('status --watch', () => {
  test('says that it waits for a daemon that does not answer', async () => {
    const silent = createServer(() => undefined).listen(mac.io.socketPath);
    const stop = new AbortController();
    let told = '';
    const write = (text: string): void => {
      told += text;
      if (told.includes('waiting for it')) stop.abort();
    };
    const io = { ...mac.io, stdout: { write }, stderr: { write }, untilInterrupted: () => stop.signal };
    expect(await main(['status', '--watch'], io)).toBe(0);
    expect(told).toBe('tuntapd has not answered yet; waiting for it\n');
    silent.closeAllConnections();
    await promisify(silent.close.bind(silent))();
  });
});

describe('logs', () => {
  const line = (time: string): string =>
    `${JSON.stringify({ time: `2026-03-04T${time}.000Z`, level: 'info', message: `at ${time}` })}\n`;
  const crashAt = async (time: string): Promise<void> => {
    await writeFile(mac.io.layout.launchdLog, 'node: out of memory\n');
    const at = new Date(`2026-03-04T${time}.000Z`);
    await utimes(mac.io.layout.launchdLog, at, at);
  };
  beforeEach(() => writeFile(mac.io.logPath, line('04:00:00') + line('05:00:00') + line('05:10:00')));

  test.each([
    ['04:30:00', ['logs'], true],
    ['04:30:00', ['logs', '-n', '2'], false],
    ['05:05:00', ['logs', '-n', '2'], true],
    ['03:00:00', ['logs'], false],
    ['04:30:00', ['logs', '-n', '1', '--since', '2026-03-04T04:15:00Z'], true],
  ])('a crash of %s is shown by %j: %s', async (time, argv, isShown) => {
    await crashAt(time);
    expect((await mac.cli(argv)).out.includes('out of memory')).toBe(isShown);
  });

  test('a crash is shown also where the daemon has never written a line', async () => {
    await writeFile(mac.io.logPath, '');
    await crashAt('03:00:00');
    expect((await mac.cli(['logs'])).out).toContain('out of memory');
  });
});

test('config set of a key that there is not is a usage error, and changes nothing', async () => {
  const { code, errors } = await mac.cli(['config', 'set', 'tap.mut', '1400']);
  expect(code).toBe(2);
  expect(errors).toContain(
    'nothing is changed: tap.mut: there is no such key; did you mean tap.mtu? (tuntapctl config show has all keys)',
  );
});

test.each(['fd00:d0c::2', 'FD00:D0C::2', '[fd00:d0c::2]', 'fd00:d0c:0:0::2', '[FD00:0D0C::0002]'])(
  'ping knows an IPv6 address in any form: %s',
  async (said) => {
    const [web] = healthyStatus.containers ?? [];
    if (!web) throw new Error('there is a container');
    const endpoints = [{ network: 'bridge', address: 'fd00:d0c::2' }];
    await mac.daemon({ ...healthyStatus, containers: [{ ...web, endpoints }] });
    expect((await mac.cli(['ping', said])).out).toMatch(/^ok container +web runs with fd00:d0c::2\n/);
  },
);
