/** What `tuntapctl bugreport` collects, shows and writes. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Status } from '../../../daemon/api/messages.js';
import { healthyStatus } from './scenes.js';
import { session } from './session.js';

const mac = session();
const { cli, daemon } = mac;

describe('bugreport', () => {
  const secret = 'ada';
  beforeEach(async () => {
    await daemon({
      ...healthyStatus,
      conditions: healthyStatus.conditions.map((each) =>
        each.type === 'ConsoleUser' ? { ...each, message: `${secret} (uid 501)` } : each,
      ),
    });
    await writeFile(
      mac.io.logPath,
      `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message: `shop-db-1 of ${secret} left 8.8.8.8` })}\n`,
    );
    await writeFile(mac.io.configPath, '[docker]\napp = "/Users/ada/Docker.app"\n', { mode: 0o644 });
    mac.io = {
      ...mac.io,
      run: (file, args) =>
        file === '/usr/sbin/scutil'
          ? Promise.reject(new Error('no such command'))
          : Promise.resolve({
              stdout: args.includes('inet6')
                ? '2001:db8:7::/64  link#5\n'
                : args.includes('inet')
                  ? '8.8.8/24  10.0.0.1\n'
                  : 'ether 02:74:75:6e:74:61\n',
              stderr: '',
              exitCode: 0,
            }),
    };
  });

  test('one archive that tar reads, with everything masked, told before it is written, and over nobody’s file', async () => {
    const path = join(mac.root, 'report.tar.gz');
    expect(await cli('bugreport', '--output', path)).toBe(0);
    expect(mac.out).toMatch(
      /holds[^]*status\.json +\d+ bytes[^]*report\.tar\.gz is written, and nothing was sent/,
    );
    const names = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' }).trim().split('\n');
    expect(names).toEqual(
      expect.arrayContaining([
        'status.json',
        'doctor.json',
        'routes.txt',
        'routes6.txt',
        'tuntapd.log',
        'config.toml',
      ]),
    );
    const all = execFileSync('tar', ['-xzOf', path], { encoding: 'utf8' });
    expect(all).toContain('10.0.0.1');
    expect(all).toContain('172.18.0.2');
    expect(all).toContain('not there: no such command');
    expect(all).not.toMatch(/\bada\b|shop|8\.8\.8|2001:db8|02:74:75:6e:74:61/);
    const status = execFileSync('tar', ['-xzOf', path, 'status.json'], { encoding: 'utf8' });
    expect((JSON.parse(status) as Status).phase).toBe('ready');
    expect(await cli('bugreport', '--output', path)).toBe(1);
    expect(execFileSync('tar', ['-xzOf', path], { encoding: 'utf8' })).toBe(all);
  });

  test('--show prints the same and writes nothing', async () => {
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(mac.out).toMatch(/^== versions\.txt\ntuntapctl 1\.2\.3$/m);
    expect(mac.out).not.toMatch(/\bada\b|shop|8\.8\.8/);
  });

  test('--show cuts no line, and ends what would move the cursor', async () => {
    const message = `${'long '.repeat(1000)}\u001b[2Jend`;
    await writeFile(
      mac.io.logPath,
      `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message })}\n${'y'.repeat(3000)}\u001b[2J.\n`,
    );
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(mac.out).toMatch(/(long ){1000}\\u001b\[2Jend/);
    expect(mac.out).toMatch(/y{3000} \[2J\.\n/);
    expect(mac.out).not.toContain('\u001b');
  });

  test('how to read it first is told before it is written', async () => {
    const path = join(mac.root, 'report.tar.gz');
    let isThere = null;
    mac.io = {
      ...mac.io,
      stdout: {
        write: (text) => {
          if (text.includes('bugreport --show')) isThere = existsSync(path);
        },
      },
    };
    expect(await cli('bugreport', '--output', path)).toBe(0);
    expect(isThere).toBe(false);
  });

  test('it is made also when the daemon is dead', async () => {
    await mac.server?.close();
    mac.server = null;
    const path = join(mac.root, 'dead.tar.gz');
    expect(await cli('bugreport', '-o', path)).toBe(0);
    expect(execFileSync('tar', ['-xzOf', path, 'versions.txt'], { encoding: 'utf8' })).toContain(
      'does not answer',
    );
  });

  test('why the daemon says nothing is told as it is', async () => {
    await mac.server?.close();
    mac.server = null;
    const other = createServer((_request, response) => response.end('{"other":1}')).listen(mac.io.socketPath);
    expect(await cli('bugreport', '--show')).toBe(0);
    await promisify(other.close.bind(other))();
    expect(mac.out).toMatch(
      /^== versions\.txt\ntuntapctl 1\.2\.3\ntuntapd does not answer: .*versions differ/m,
    );
  });

  test.each([
    ['the daemon', null],
    ['Docker', { routes: [], containers: [], engine: null }],
  ])('Docker’s names are masked also when %s is down', async (_who, change) => {
    if (change === null) {
      await mac.server?.close();
      mac.server = null;
    } else {
      await mac.server?.close();
      await daemon({ ...healthyStatus, ...change });
    }
    const lines = [
      {
        message: 'add-route: Docker network payroll_default has this subnet',
        step: {
          kind: 'add-route',
          key: 'route 172.19.0.0/16',
          why: 'Docker network payroll_default has this subnet',
        },
      },
      {
        message:
          'Routes is False: 172.20.0.0/16 (merger): larger than /12; 172.21.0.0/16 (zeus): a VPN has it',
      },
      { message: 'TapAddress is False: taken in the VM by Docker network olymp (10.0.75.0/24)' },
      { message: 'grace (uid 502) came' },
      { message: 'looking', network: 'hera' },
    ].map((line) => JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', ...line }));
    await writeFile(mac.io.logPath, `${lines.join('\n')}\n`);
    await writeFile(
      mac.io.configPath,
      '[routes]\ninclude = [\n  "apollo_*",\n  "driver=bridge",\n]\nexclude = ["label=team=ares"]\n',
      { mode: 0o644 },
    );
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(mac.out).not.toMatch(/payroll|merger|zeus|olymp|hera|grace|apollo|ares/);
    expect(mac.out).toMatch(/include = \[\s+"name-\d+\*",\s+"driver=bridge"/);
    expect(mac.out).toContain('172.19.0.0/16');
  });

  test('domains of the resolvers, and the context with where it leads, are masked in every file', async () => {
    const { run } = mac.io;
    mac.io = {
      ...mac.io,
      run: (file, args) =>
        file === '/usr/sbin/scutil'
          ? Promise.resolve({
              stdout:
                'resolver #1\n  search domain[0] : corp.initech.example\n\nresolver #2\n  domain   : local\n',
              stderr: '',
              exitCode: 0,
            })
          : run(file, args),
    };
    const message =
      'Runtime is False: docker.context is “tps” (ssh://lumbergh@build.initech.example), vpn.corp.initech.example has it';
    await writeFile(
      mac.io.logPath,
      `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message })}\n`,
    );
    await writeFile(mac.io.configPath, '[docker]\ncontext = "tps"\n', { mode: 0o644 });
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(mac.out).not.toMatch(/initech|lumbergh|tps/);
    expect(mac.out).toMatch(/search domain\[0\] : host-\d+\n[^]*domain +: local\n/);
    expect(mac.out).toContain('“name-');
  });
});
