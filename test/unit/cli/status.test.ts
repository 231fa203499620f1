/** What `tuntapctl status` prints and how it ends, also as JSON, and anew with --watch. */
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import type { Status } from '../../../daemon/api/messages.js';
import { condition, madeUpStatus, staleSocket } from './made-up.js';
import { healthyStatus } from './scenes.js';
import { session, until } from './session.js';

const mac = session();
const { cli, daemon, onTerminal } = mac;

describe('status', () => {
  test.each([
    ['ready', 0],
    ['idle', 0],
    ['down', 0],
    ['working', 4],
    ['degraded', 4],
    ['blocked', 4],
  ] as const)('%s ends with %i', async (phase, code) => {
    await daemon(madeUpStatus({ phase }));
    expect(await cli('status')).toBe(code);
    expect(await cli('status', '--json')).toBe(code);
  });

  test('names the link that is there in words', async () => {
    const link = { ...(healthyStatus.link as NonNullable<Status['link']>), interface: 'bridge100' };
    await daemon(madeUpStatus({ link: { ...link, told: 'Docker’s kernel networking' } }));
    onTerminal();
    expect(await cli('status')).toBe(0);
    expect(mac.out).toMatch(/^ +Link +bridge100 \(Docker’s kernel networking\), 10\.0\.75\.1/m);
  });

  test('what is wrong comes first, then what was seen, then the routes; --verbose has every condition', async () => {
    await daemon(
      madeUpStatus({
        phase: 'degraded',
        conditions: [
          condition('TapDevice'),
          condition('Shim', 'False', 'reinstall Docker\u001b[31m\u202edab'),
          condition('Engine', 'Unknown', 'no answer'),
        ],
      }),
    );
    onTerminal();
    expect(await cli('status')).toBe(4);
    expect(mac.out).toMatch(/^degraded.*\n\n✗ Shim: reinstall Docker \[31m dab\n/);
    expect(mac.out).toMatch(/\? Engine: no answer/);
    expect(mac.out).not.toContain('TapDevice');
    expect(mac.out).toMatch(/✓ bridge +172\.31\.0\.0\/16 +routed/);
    expect(mac.out).toMatch(/Not routed: huge \(10\.0\.0\.0\/8\)/);
    expect(mac.out).not.toContain('\u001b');
    expect(mac.out).not.toContain('\u202e');
    mac.out = '';
    await cli('status', '--verbose');
    expect(mac.out).toMatch(/✓ TapDevice {2}Good, since .* \(12 min\): fine/);
    expect(mac.out).toMatch(/✗ Shim {7}NotGood, since .*: reinstall Docker/);
    expect(mac.out).toMatch(/\? Engine {5}NotGood, since .*: no answer/);
  });

  test('shows causes alone, with what to do; what follows from them is in the JSON', async () => {
    await daemon(madeUpStatus(staleSocket));
    onTerminal();
    await cli('status');
    expect(mac.out.match(/^[✓✗?…·] .*/gm)).toEqual(['✗ Engine: left over']);
    expect(mac.out).toContain('→ Restart Docker Desktop, or the runtime that the message names');
    expect(mac.out).not.toMatch(/Guest|DataPath|Ready/);
    mac.out = '';
    await cli('status', '--json');
    expect(JSON.parse(mac.out)).toEqual(madeUpStatus(staleSocket));
  });

  test('what is missing while there is nothing to do is not marked as wrong', async () => {
    await daemon(madeUpStatus({ phase: 'idle', conditions: [condition('Engine', 'False', 'no VM')] }));
    onTerminal();
    await cli('status');
    expect(mac.out).toContain('· Engine');
  });

  test('marks are words where no terminal draws them', async () => {
    await daemon(madeUpStatus({ phase: 'degraded', conditions: [condition('Shim', 'False', 'gone')] }));
    const marksOf = async (): Promise<string[]> => {
      mac.out = '';
      await cli('status');
      return mac.out.match(/^(\S+) Shim/m)?.slice(1) ?? [];
    };
    expect(await marksOf()).toEqual(['FAIL']);
    onTerminal();
    expect(await marksOf()).toEqual(['✗']);
    onTerminal({ LANG: 'C' });
    expect(await marksOf()).toEqual(['FAIL']);
    onTerminal({ LC_ALL: '', LANG: 'de_DE.UTF-8' });
    expect(await marksOf()).toEqual(['✗']);
  });

  test('--json is the status as it is', async () => {
    await daemon();
    await cli('status', '--json');
    expect(JSON.parse(mac.out)).toEqual(madeUpStatus());
  });

  test('colour on a terminal only, and not with NO_COLOR', async () => {
    await daemon();
    mac.io = { ...mac.io, stdout: { ...mac.io.stdout, isTTY: true } };
    await cli('status');
    expect(mac.out).toContain('\u001b[32m✓\u001b[39m bridge');
    mac.out = '';
    mac.io = { ...mac.io, env: { NO_COLOR: '1' } };
    await cli('status');
    expect(mac.out).not.toContain('\u001b');
  });
});

describe('status --watch', () => {
  test('shows each status as it comes, goes on with the next daemon, and ends with Ctrl-C', async () => {
    await daemon(madeUpStatus());
    const watching = cli('status', '--watch');
    await until(() => mac.out.includes('ready:'));
    mac.feed.tell(madeUpStatus({ phase: 'degraded', conditions: [condition('Shim', 'False', 'gone')] }));
    await until(() => mac.out.includes('Shim: gone'));
    await mac.server?.close();
    await until(() => mac.out.includes('waiting for the next one'));
    await daemon(madeUpStatus({ phase: 'down' }));
    await until(() => mac.out.includes('taken down by hand'));
    mac.stop.abort();
    expect(await watching).toBe(0);
  });

  test('goes on after a daemon that was killed in the middle of a word', async () => {
    const killed = createServer((_request, response) => {
      response.write(`${JSON.stringify(madeUpStatus())}\n{"ver`, () => {
        setTimeout(() => response.destroy(), 50);
      });
    }).listen(mac.io.socketPath);
    const watching = cli('status', '--watch');
    await until(() => mac.out.includes('ready:'));
    await promisify(killed.close.bind(killed))();
    await until(() => mac.out.includes('not running'));
    await daemon(madeUpStatus({ phase: 'down' }));
    await until(() => mac.out.includes('taken down by hand'));
    mac.stop.abort();
    expect(await watching).toBe(0);
  });

  test('as JSON one status a line', async () => {
    await daemon(madeUpStatus());
    const watching = cli('status', '--watch', '--json');
    await until(() => mac.out !== '');
    mac.feed.tell(madeUpStatus({ pid: 5 }));
    await until(() => mac.out.split('\n').length === 3);
    mac.stop.abort();
    await watching;
    const lines = mac.out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Status).pid)).toEqual([4711, 5]);
  });

  test('on a terminal it draws over what is there, as much as fits', async () => {
    onTerminal();
    mac.io = { ...mac.io, stdout: { ...mac.io.stdout, rows: 4 } };
    await daemon(madeUpStatus());
    const watching = cli('status', '--watch');
    await until(() => mac.out.includes('ready:'));
    mac.stop.abort();
    await watching;
    const [, screen = ''] = mac.out.split('\u001b[H');
    expect(screen.split('\n')).toHaveLength(4);
    expect(screen.endsWith('\u001b[J')).toBe(true);
  });
});
