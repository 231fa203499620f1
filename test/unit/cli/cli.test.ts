import { execFileSync, spawnSync } from 'node:child_process';
import { appendFile, chmod, mkdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import fc from 'fast-check';
import type { Io } from '../../../cli/io.js';
import { parseConfig } from '../../../config/parse.js';
import { describeConfig } from '../../../config/keys.js';
import { main, programOf } from '../../../cli/main.js';
import { renderManual } from '../../../cli/manual.js';
import { withProgress } from '../../../cli/progress.js';
import type { Outcome, Status } from '../../../daemon/api/messages.js';
import { type ControlServer, serveControl } from '../../../daemon/control/server.js';
import { createFeed, type Feed } from '../../../daemon/control/stream.js';
import { resolverText } from '../../../daemon/lib/resolver-text.js';
import { runtimes } from '../../../daemon/lib/runtimes.js';
import { condition, madeUpStatus } from './made-up.js';
import { healthyStatus, scenes } from './scenes.js';
import { appleSilicon, byRosetta, emptyMac, intel } from './stage.js';

const kickstart = 'sudo launchctl kickstart -k system/io.github.tuntapd';
const { current, old } = runtimes.x64;
const gid = process.getgid?.() ?? 0;
let root: string;
let io: Io;
let out: string;
let errors: string;
let server: ControlServer | null;
let stop: AbortController;
let feed: Feed;
/** What was left to another program. */
let handedOver: readonly string[];

beforeEach(async () => {
  const mac = await emptyMac();
  root = mac.root;
  out = '';
  errors = '';
  server = null;
  feed = createFeed();
  handedOver = [];
  stop = new AbortController();
  io = {
    ...mac.io,
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    env: {},
    inForeground: (file, args) => {
      handedOver = [file, ...args];
      return Promise.resolve(1);
    },
    connect: (address, port) => {
      const said = address === '172.17.0.2' && port === 80 ? 'connected' : 'ECONNREFUSED';
      return Promise.resolve({ alive: true, said });
    },
    lookUp: (host, port) =>
      host === 'web.docker' && port === 299
        ? Promise.resolve(['172.17.0.2'])
        : Promise.reject(Object.assign(new Error('queryA'), { code: 'ENOTFOUND' })),
    addressesOf: (host) =>
      host === 'web.docker'
        ? Promise.resolve(['172.17.0.2'])
        : Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
    renderShim: ({ device, mac, wait }) => `#!/bin/sh\n# ${device} ${mac} ${wait}\n`,
    untilInterrupted: () => stop.signal,
  };
});

afterEach(async () => {
  await server?.close();
  await rm(root, { recursive: true });
});

async function daemon(status: Status | null = madeUpStatus(), outcome?: Outcome): Promise<string[]> {
  const asked: string[] = [];
  const act = (action: string) => () => {
    asked.push(action);
    return Promise.resolve(outcome ?? { done: true, problems: [] });
  };
  server = await serveControl({
    socketPath: io.socketPath,
    rootSocketPath: io.layout.rootSocket,
    gid,
    log: () => undefined,
    handlers: {
      version: () => ({ version: '1.2.3', pid: 4711 }),
      status: () => status,
      follow: feed.follow,
      metrics: () => 'tuntapd_passes_total 1\ntuntapd_info{version="\u001b[2J"} 1\n',
      up: act('up'),
      down: act('down'),
      restart: act('restart'),
      restore: act('restore'),
      leave: act('leave'),
    },
  });
  return asked;
}

const unasked = (type: string, message: string): Partial<Status> => ({
  conditions: [condition(type, 'Unknown', message)],
});

/** Docker's socket is left over, and all that follows from it. */
const staleSocket: Partial<Status> = {
  phase: 'degraded',
  conditions: [
    { ...condition('TapDevice'), reason: 'Owned' },
    { ...condition('Engine', 'Unknown', 'left over'), reason: 'SocketStale' },
    { ...condition('Guest', 'False', 'no engine'), reason: 'NoEngine' },
    { ...condition('DataPath', 'False', 'nothing to check'), reason: 'NoLink' },
    { ...condition('Ready', 'False', 'left over'), reason: 'SocketStale' },
  ],
};

/** From now on the output is a terminal without colours. */
function onTerminal(env: Io['env'] = {}, columns = 120): void {
  io = { ...io, stdout: { ...io.stdout, isTTY: true, columns }, env: { NO_COLOR: '1', ...env } };
}

const until = async (wanted: () => boolean): Promise<void> => {
  for (const end = Date.now() + 5000; !wanted() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 20));
};

const cli = (...argv: string[]): Promise<number> => main(argv, io);

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
    expect(out).toMatch(/^ +Link +bridge100 \(Docker’s kernel networking\), 10\.0\.75\.1/m);
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
    expect(out).toMatch(/^degraded.*\n\n✗ Shim: reinstall Docker \[31m dab\n/);
    expect(out).toMatch(/\? Engine: no answer/);
    expect(out).not.toContain('TapDevice');
    expect(out).toMatch(/✓ bridge +172\.31\.0\.0\/16 +routed/);
    expect(out).toMatch(/Not routed: huge \(10\.0\.0\.0\/8\)/);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('\u202e');
    out = '';
    await cli('status', '--verbose');
    expect(out).toMatch(/✓ TapDevice {2}Good, since .* \(12 min\): fine/);
    expect(out).toMatch(/✗ Shim {7}NotGood, since .*: reinstall Docker/);
    expect(out).toMatch(/\? Engine {5}NotGood, since .*: no answer/);
  });

  test('shows causes alone, with what to do; what follows from them is in the JSON', async () => {
    await daemon(madeUpStatus(staleSocket));
    onTerminal();
    await cli('status');
    expect(out.match(/^[✓✗?…·] .*/gm)).toEqual(['✗ Engine: left over']);
    expect(out).toContain('→ Restart Docker Desktop, or the runtime that the message names');
    expect(out).not.toMatch(/Guest|DataPath|Ready/);
    out = '';
    await cli('status', '--json');
    expect(JSON.parse(out)).toEqual(madeUpStatus(staleSocket));
  });

  test('what is missing while there is nothing to do is not marked as wrong', async () => {
    await daemon(madeUpStatus({ phase: 'idle', conditions: [condition('Engine', 'False', 'no VM')] }));
    onTerminal();
    await cli('status');
    expect(out).toContain('· Engine');
  });

  test('marks are words where no terminal draws them', async () => {
    await daemon(madeUpStatus({ phase: 'degraded', conditions: [condition('Shim', 'False', 'gone')] }));
    const marksOf = async (): Promise<string[]> => {
      out = '';
      await cli('status');
      return out.match(/^(\S+) Shim/m)?.slice(1) ?? [];
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
    expect(JSON.parse(out)).toEqual(madeUpStatus());
  });

  test('colour on a terminal only, and not with NO_COLOR', async () => {
    await daemon();
    io = { ...io, stdout: { ...io.stdout, isTTY: true } };
    await cli('status');
    expect(out).toContain('\u001b[32m✓\u001b[39m bridge');
    out = '';
    io = { ...io, env: { NO_COLOR: '1' } };
    await cli('status');
    expect(out).not.toContain('\u001b');
  });
});

describe('status --watch', () => {
  test('shows each status as it comes, goes on with the next daemon, and ends with Ctrl-C', async () => {
    await daemon(madeUpStatus());
    const watching = cli('status', '--watch');
    await until(() => out.includes('ready:'));
    feed.tell(madeUpStatus({ phase: 'degraded', conditions: [condition('Shim', 'False', 'gone')] }));
    await until(() => out.includes('Shim: gone'));
    await server?.close();
    await until(() => out.includes('waiting for the next one'));
    await daemon(madeUpStatus({ phase: 'down' }));
    await until(() => out.includes('taken down by hand'));
    stop.abort();
    expect(await watching).toBe(0);
  });

  test('goes on after a daemon that was killed in the middle of a word', async () => {
    const killed = createServer((_request, response) => {
      response.write(`${JSON.stringify(madeUpStatus())}\n{"ver`, () => {
        setTimeout(() => response.destroy(), 50);
      });
    }).listen(io.socketPath);
    const watching = cli('status', '--watch');
    await until(() => out.includes('ready:'));
    await promisify(killed.close.bind(killed))();
    await until(() => out.includes('not running'));
    await daemon(madeUpStatus({ phase: 'down' }));
    await until(() => out.includes('taken down by hand'));
    stop.abort();
    expect(await watching).toBe(0);
  });

  test('as JSON one status a line', async () => {
    await daemon(madeUpStatus());
    const watching = cli('status', '--watch', '--json');
    await until(() => out !== '');
    feed.tell(madeUpStatus({ pid: 5 }));
    await until(() => out.split('\n').length === 3);
    stop.abort();
    await watching;
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Status).pid)).toEqual([4711, 5]);
  });

  test('on a terminal it draws over what is there, as much as fits', async () => {
    onTerminal();
    io = { ...io, stdout: { ...io.stdout, rows: 4 } };
    await daemon(madeUpStatus());
    const watching = cli('status', '--watch');
    await until(() => out.includes('ready:'));
    stop.abort();
    await watching;
    const [, screen = ''] = out.split('\u001b[H');
    expect(screen.split('\n')).toHaveLength(4);
    expect(screen.endsWith('\u001b[J')).toBe(true);
  });
});

test.each([['status'], ['status --watch'], ['up'], ['routes'], ['doctor TT008']])(
  '%s without a daemon ends with 3',
  async (command) => {
    expect(await cli(...command.split(' '))).toBe(3);
    expect(out + errors).toContain(
      'tuntapd is not running: sudo launchctl kickstart -k system/io.github.tuntapd, or see tuntapctl doctor',
    );
  },
);

test.each([['up'], ['down'], ['restart']])('%s asks the daemon', async (action) => {
  const asked = await daemon();
  expect(await cli(action)).toBe(0);
  expect(asked).toEqual([action]);
});

test('what takes over a second tells for how long, on a terminal alone', async () => {
  const slow = async (isTTY: boolean): Promise<string> => {
    errors = '';
    io = { ...io, now: Date.now, stderr: { ...io.stderr, isTTY } };
    const work = new Promise<number>((resolve) => setTimeout(resolve, 2300, 7));
    expect(await withProgress(io, 'up', work)).toBe(7);
    return errors;
  };
  expect(await slow(true)).toBe('\rup: 1 s\u001b[K\rup: 2 s\u001b[K\r\u001b[K');
  expect(await slow(false)).toBe('');
});

test('what is not done is told and ends with 1', async () => {
  await daemon(madeUpStatus(), { done: false, problems: ['tap3 is busy'] });
  expect(await cli('up')).toBe(1);
  expect(out).toContain('tap3 is busy');
  out = '';
  expect(await cli('up', '--json')).toBe(1);
  expect(JSON.parse(out)).toEqual({ done: false, problems: ['tap3 is busy'] });
});

test('routes', async () => {
  await daemon();
  expect(await cli('routes', '--json')).toBe(0);
  expect(JSON.parse(out)).toEqual(madeUpStatus().routes);
});

test('routes tells subnets, and of networks without one their names; --all all of it', async () => {
  const routes = [
    ...madeUpStatus().routes,
    { subnet: '-', network: 'host', state: 'refused', why: 'the VM’s own' } as const,
  ];
  await daemon(madeUpStatus({ routes }));
  expect(await cli('routes')).toBe(0);
  expect(out).toMatch(/^ok +172\.31\.0\.0\/16 {2}bridge {2}routed/);
  expect(out).toMatch(/^- +10\.0\.0\.0\/8 .*larger than \/12$/m);
  expect(out).toContain('Without a subnet: host');
  expect(out).not.toContain('the VM’s own');
  out = '';
  await cli('routes', '--all');
  expect(out).toMatch(/host +refused +the VM’s own/);
});

test.each<[string, Partial<Status>, string]>([
  ['without a VM', { vm: null }, 'Docker’s VM does not run'],
  ['while nobody can tell whether there is one', unasked('VirtualMachine', 'ps took 10 s'), 'ps took 10 s'],
  [
    'of an engine that is silent',
    unasked('Engine', 'no answer from docker.sock'),
    'no answer from docker.sock',
  ],
  ['of a routing table that cannot be read', unasked('Routes', 'netstat: exit 1'), 'netstat: exit 1'],
  ['of a VM that has none', {}, 'the VM has none'],
])('routes %s says why it shows none', async (_name, change, why) => {
  await daemon(madeUpStatus({ routes: [], ...change }));
  expect(await cli('routes')).toBe(0);
  expect(out).toBe(`No Docker network is known (${why}).\n`);
});

test.each([['stauts'], ['--colour'], ['fisch']])('what is not known is named: %s', async (word) => {
  const argv = word === 'fisch' ? ['completion', word] : word === '--colour' ? ['status', word] : [word];
  expect(await cli(...argv)).toBe(2);
  expect(errors).toContain(word);
});

test.each([
  [[], 2],
  [['stauts'], 2],
  [['status', '--colour'], 2],
  [['logs', '-n', 'many'], 2],
  [['config', 'set', 'tap.mtu'], 2],
  [['config', 'set', 'tap.mtu', '1400', 'log.level'], 2],
  [['completion', 'fisch'], 2],
  [['doctor', 'TT1'], 2],
  [['--help'], 0],
  [['config', '--help'], 0],
])('%j ends with %i', async (argv, code) => {
  expect(await cli(...argv)).toBe(code);
  expect((code === 0 ? out : errors).length).toBeGreaterThan(0);
});

test('metrics prints what the daemon counts', async () => {
  expect(await cli('metrics')).toBe(3);
  await daemon();
  expect(await cli('metrics')).toBe(0);
  expect(out).toBe('tuntapd_passes_total 1\ntuntapd_info{version=" [2J"} 1\n');
});

test('version, with and without a daemon', async () => {
  expect(await cli('version', '--json')).toBe(0);
  expect(JSON.parse(out)).toEqual({ tuntapctl: '1.2.3', tuntapd: null, format: 1 });
  await daemon();
  out = '';
  expect(await cli('version')).toBe(0);
  expect(out).toBe('tuntapctl 1.2.3\ntuntapd   1.2.3 (pid 4711)\n');
});

describe('logs', () => {
  const entry = (message: string): string =>
    `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message, pass: 'p1', more: 1 })}\n`;
  test('the last lines, readable; older ones from the rotated files; no daemon needed', async () => {
    await writeFile(`${io.logPath}.3`, entry('zero'));
    await writeFile(`${io.logPath}.2`, entry('one'));
    await writeFile(`${io.logPath}.1`, entry('two'));
    await writeFile(io.logPath, `${entry('three')}Segmentation fault\u001b[2J\n`);
    expect(await cli('logs', '-n', '3')).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^2026-03-0\d \d\d:\d\d:\d\d info {2}two \(pass p1\)$/);
    expect(lines[1]).toContain('three');
    expect(lines[2]).toBe('Segmentation fault [2J');
    out = '';
    await cli('logs', '-n', '4');
    expect(out.match(/zero|one|two|three|Segmentation/g)).toEqual(['one', 'two', 'three', 'Segmentation']);
    out = '';
    await cli('logs');
    expect(out).toContain('zero');
    out = '';
    await cli('logs', '-n', '1', '--json');
    await cli('logs', '-n', '0');
    expect(out).toBe(String.raw`{"message":"Segmentation fault\u001b[2J"}` + '\n');
    expect(JSON.parse(out)).toEqual({ message: 'Segmentation fault\u001b[2J' });
  });

  test('--json is one object a line, whatever stands in the file', async () => {
    await writeFile(io.logPath, `${entry('one')}[1,2]\nnull\n`);
    await cli('logs', '--json');
    const lines = out
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
    await writeFile(io.logPath, entry('one') + entry('two').slice(0, 20));
    const following = cli('logs', '-f');
    await until(() => out.includes('one'));
    await appendFile(io.logPath, entry('two').slice(20));
    await until(() => out.includes('two'));
    stop.abort();
    expect(await following).toBe(0);
    expect(out.match(/info +\w+/g)).toEqual(['info  one', 'info  two']);
    expect(out.trimEnd().split('\n')).toHaveLength(2);
  });

  test('more lines than a chunk holds', async () => {
    await writeFile(
      io.logPath,
      Array.from({ length: 5000 }, (_, index) => entry(`line ${index} ü`)).join(''),
    );
    await cli('logs', '-n', '3000');
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(3000);
    expect(lines[0]).toContain('line 2000 ü');
    expect(lines.at(-1)).toContain('line 4999 ü');
  });

  describe('of all lines, also of rotated files, those that are asked for', () => {
    const at = (time: string, level: string, message: string): string =>
      `${JSON.stringify({ time: `2026-03-04T${time}.000Z`, level, message })}\n`;
    const messages = (): string[] =>
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/^\S+ \S+ \w+ +/, ''));

    beforeEach(async () => {
      await writeFile(
        `${io.logPath}.1`,
        at('03:00:00', 'error', 'old error') + at('04:30:00', 'info', 'tap1 is there'),
      );
      const crash = 'Segmentation fault\n';
      await writeFile(
        io.logPath,
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
      await until(() => out.includes('route lost'));
      await appendFile(io.logPath, at('05:20:00', 'info', 'no') + at('05:20:01', 'error', 'yes'));
      await until(() => out.includes('yes'));
      stop.abort();
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
      await writeFile(io.layout.launchdLog, 'node: out of memory\u001b[2J\nat main\n');
      await cli('logs', '--level', 'error');
      expect(out).toMatch(
        /old error[^]*launchd\.log, which was last written at .*:\n {2}node: out of memory \[2J\n {2}at main\n$/,
      );
      out = '';
      await cli('logs', '--grep', 'memory', '--json');
      expect(JSON.parse(out)).toEqual({
        message: 'node: out of memory\u001b[2J',
        source: io.layout.launchdLog,
      });
      out = '';
      await utimes(io.layout.launchdLog, 0, 0);
      await cli('logs', '--since', '1h');
      expect(out).not.toContain('memory');
    });
  });

  test('no log yet', async () => {
    expect(await cli('logs')).toBe(1);
    expect(errors).toContain('there is no log yet');
  });

  test('-f waits for the log, follows it, also over a rotation and a cut', async () => {
    const following = cli('logs', '-f');
    await until(() => errors.includes('no log yet'));
    await writeFile(io.logPath, entry('first'));
    await until(() => out.includes('first'));
    await appendFile(io.logPath, entry('second').slice(0, 20));
    await appendFile(io.logPath, entry('second').slice(20));
    await until(() => out.includes('second'));
    await appendFile(io.logPath, entry('last of the old'));
    await rename(io.logPath, `${io.logPath}.1`);
    await writeFile(io.logPath, entry('first of the new'));
    await until(() => out.includes('first of the new'));
    await writeFile(io.logPath, entry('cut'));
    await until(() => out.includes('cut'));
    stop.abort();
    expect(await following).toBe(0);
    expect(out.match(/first|second|last of the old|first of the new|cut/g)).toEqual([
      'first',
      'second',
      'last of the old',
      'first',
      'cut',
    ]);
  });
});

describe('config', () => {
  test('show, path, check, schema', async () => {
    expect(await cli('config', 'path')).toBe(0);
    expect(out).toBe(`${io.configPath}\n`);
    out = '';
    expect(await cli('config', 'show')).toBe(0);
    expect(out).toContain('tap.device = "tap1"');
    out = '';
    expect(await cli('config', 'check')).toBe(0);
    expect(await cli('config', 'schema')).toBe(0);
    await writeFile(io.configPath, '[tap]\nmtu = 1\n', { mode: 0o644 });
    out = '';
    expect(await cli('config', 'check', '--json')).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ valid: false, problems: [{ key: 'tap.mtu', line: 2 }] });
    expect(await cli('config', 'check')).toBe(1);
    expect(errors).toContain('line 2: tap.mtu = 1 is not allowed');
  });

  test('set edits the file and keeps comments; what is wrong changes nothing', async () => {
    await writeFile(io.configPath, '# mine\n[tap]\nmtu = 1500 # usual\n', { mode: 0o644 });
    expect(await cli('config', 'set', 'tap.mtu', '1400')).toBe(0);
    expect(await cli('config', 'set', 'tap.mtu', '9000')).toBe(1);
    expect(await cli('config', 'set', 'tap.mut', '1400')).toBe(2);
    expect(errors).toContain('did you mean tap.mtu?');
    expect(await cli('config', 'set', 'tap.mtu', '1300', 'log.level', 'loud')).toBe(1);
    expect(await readFile(io.configPath, 'utf8')).toBe('# mine\n[tap]\nmtu = 1400 # usual\n');
  });

  test('set says from when on a change counts', async () => {
    expect(await cli('config', 'set', 'tap.device', 'tap3', 'log.level', 'debug')).toBe(0);
    expect(out).toBe(
      'tap.device = "tap3"    # in force when Docker’s VM next starts\nlog.level = "debug"    # in force within ten seconds\n',
    );
  });

  test('init writes a file that changes nothing, says what every key is for, and overwrites none', async () => {
    expect(await cli('config', 'init')).toBe(0);
    const text = await readFile(io.configPath, 'utf8');
    expect(parseConfig(text, 'it')).toEqual(parseConfig('', 'none'));
    const taken = text.replaceAll(/^#(?=\w+ = [^…])/gm, '');
    expect(parseConfig(taken, 'it')).toEqual(parseConfig('', 'none'));
    for (const { key } of describeConfig())
      expect(taken).toMatch(new RegExp(`^#?${key.split('.').pop()} = `, 'm'));
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(150);
    await writeFile(io.configPath, '# mine\n', { mode: 0o644 });
    expect(await cli('config', 'init')).toBe(1);
    expect(await readFile(io.configPath, 'utf8')).toBe('# mine\n');
  });

  test('set moves both ends of the link at once', async () => {
    const ends = ['tap.address', '192.168.255.253', 'tap.peer', '192.168.255.254'];
    expect(await cli('config', 'set', ...ends, '--json')).toBe(0);
    const told = {
      changed: true,
      inForce: 'within ten seconds; containers are out of reach until the link is made anew',
    };
    expect(JSON.parse(out)).toEqual([
      { key: 'tap.address', value: '192.168.255.253', ...told },
      { key: 'tap.peer', value: '192.168.255.254', ...told },
    ]);
  });
});

test('set without root tells the line to paste, quoted for a shell', async () => {
  // Nobody makes a folder there, not even root.
  io = { ...io, configPath: '/sys/tuntapd/config.toml' };
  expect(await cli('config', 'set', 'routes.include', 'label=a b, $(id)*')).toBe(1);
  expect(errors).toContain('only root writes /sys/tuntapd/config.toml: ');
  expect(errors).toContain("sudo tuntapctl config set routes.include 'label=a b, $(id)*'\n");
});

test('shim restore asks the daemon', async () => {
  const asked = await daemon();
  expect(await cli('shim', 'restore')).toBe(0);
  expect(asked).toEqual(['restore']);
});

test('shim show prints the shim of the configuration', async () => {
  await writeFile(io.configPath, '[tap]\ndevice = "tap3"\n', { mode: 0o644 });
  expect(await cli('shim', 'show')).toBe(0);
  expect(out).toBe('#!/bin/sh\n# tap3 02:74:75:6e:74:61 5\n');
});

describe('doctor', () => {
  async function install(): Promise<void> {
    const { layout } = io;
    for (const file of [layout.daemon, layout.cli, layout.plist, layout.cliLink])
      await mkdir(dirname(file), { recursive: true });
    for (const file of [layout.daemon, layout.cli, layout.plist, layout.runtime, layout.cliRuntime])
      await writeFile(file, '', { mode: 0o644 });
    await symlink(layout.cli, layout.cliLink);
  }
  function onMac(machine: string, macos: string, node: string): void {
    const { cliRuntime } = io.layout;
    const said: Record<string, string> = { '/usr/bin/uname': machine, [cliRuntime]: `v${node}\n` };
    io = { ...io, run: (file) => Promise.resolve({ stdout: said[file] ?? macos, stderr: '', exitCode: 0 }) };
  }
  const found = (id: string): { status: string; detail: string; fix: string[] } | undefined =>
    (JSON.parse(out) as { id: string; status: string; detail: string; fix: string[] }[]).find(
      (finding) => finding.id === id,
    );
  const verdicts = (): Record<string, string> =>
    Object.fromEntries(
      (JSON.parse(out) as { id: string; status: string }[]).map(({ id, status }) => [id, status]),
    );

  test('all is well', async () => {
    await install();
    await daemon();
    expect(await cli('doctor', '--json')).toBe(0);
    expect(new Set(Object.values(verdicts()))).toEqual(new Set(['pass']));
  });

  test.each([
    ['12.7.6', old, 'pass', /no security fixes since April 2026.*macOS 13\.5 and newer/],
    ['14.6.1', current, 'pass', /^node 26\.\d+\.\d+$/],
    ['14.6.1', old, 'fail', /^node 20\.\d+\.\d+, where macOS 14\.6\.1 runs node 26\./],
  ])('macOS %s: the runtime, and whether anybody mends it', async (macos, installed, status, detail) => {
    onMac(intel, macos, installed.version);
    await cli('doctor', '--json');
    expect(found('TT011')).toMatchObject({
      status,
      detail: expect.stringMatching(detail) as unknown,
      fix: status === 'fail' ? ['sudo make install-daemon'] : [],
    });
  });

  test.each([
    ['the runtime of Intel', intel, old.version, 'pass', /^node 20/],
    [
      'the older one for Apple silicon',
      appleSilicon,
      runtimes.arm64.old.version,
      'pass',
      /^node 22\.\d+\.\d+$/,
    ],
    [
      'one for Intel, by Rosetta',
      byRosetta,
      old.version,
      'fail',
      /^node 20\S* is one for Intel, which Rosetta runs/,
    ],
  ])('macOS 12.7.6 with %s', async (_which, machine, installed, status, detail) => {
    onMac(machine, '12.7.6', installed);
    await cli('doctor', '--json');
    expect(found('TT011')).toMatchObject({ status, detail: expect.stringMatching(detail) as unknown });
  });

  test.each([
    ['nothing in the way', condition('TapDevice'), 'pass', /^this is a Mac with Apple silicon/, 0],
    [
      'a Docker that leaves no way',
      { ...condition('Shim', 'False', 'Docker.app has no hyperkit'), reason: 'NoHyperkit' },
      'fail',
      /^this is a Mac with Apple silicon: Docker.app has no hyperkit$/,
      2,
    ],
  ])('whether there is a way to the VM: %s', async (_what, told, status, detail, steps) => {
    onMac(appleSilicon, '14.6.1', current.version);
    await daemon(madeUpStatus({ conditions: [told] }));
    await cli('doctor', '--json');
    expect(found('TT001')).toMatchObject({ status, detail: expect.stringMatching(detail) as unknown });
    expect(found('TT001')?.fix).toHaveLength(steps);
  });

  test.each([
    ['whose files are new already is started again', '1.2.3', kickstart],
    ['of an old installation is replaced', '0.9', 'sudo make install-daemon'],
  ])('a daemon of another version %s', async (_what, installed, fix) => {
    await install();
    await writeFile(join(io.layout.prefix, 'manifest.json'), JSON.stringify({ version: installed }));
    await daemon(madeUpStatus({ version: '0.9' }));
    await cli('doctor', '--json');
    expect(found('TT009')).toMatchObject({
      status: 'fail',
      detail: 'tuntapd 0.9, tuntapctl 1.2.3',
      fix: [fix],
    });
  });

  test('the shim of another version, and a runtime that is not the one of root, are told', async () => {
    await install();
    const [bundle] = healthyStatus.bundles ?? [];
    if (!bundle) throw new Error('there is a bundle');
    const conditions = [{ ...condition('Shim'), reason: 'Installed' }];
    await daemon(madeUpStatus({ conditions, bundles: [{ ...bundle, target: 'outdated-shim' }] }));
    await cli('doctor', 'TT015', '--json');
    expect(found('TT015')).toMatchObject({
      status: 'fail',
      detail: `the shim of another version stands at ${bundle.hyperkit}`,
      fix: ['tuntapctl up'],
    });
    out = '';
    await appendFile(io.layout.cliRuntime, 'another');
    await cli('doctor', 'TT015', '--json');
    expect(found('TT015')).toMatchObject({ status: 'fail', fix: ['sudo make install-daemon'] });
  });

  test.each([
    ['a value that is not allowed', '[log]\nlevel = "loud"\nmaxFiles = 0\n'],
    ['an element of a list', '[routes]\nallow = ["10.0.0.0/8", "everything"]\n'],
    ['another value', 'restartDocker = "perhaps"\n'],
  ])('the configuration has %s: what is printed mends it', async (_what, text) => {
    await writeFile(io.configPath, text, { mode: 0o644 });
    await cli('doctor', 'TT010', '--json');
    expect(found('TT010')?.status).toBe('fail');
    const [typed = ''] = found('TT010')?.fix ?? [];
    const words = execFileSync('sh', ['-c', typed.replace(/^sudo tuntapctl/, "printf '%s\\n'")], {
      encoding: 'utf8',
    });
    await cli(...words.trim().split('\n'));
    out = '';
    await cli('doctor', 'TT010', '--json');
    expect(found('TT010')?.status).toBe('pass');
  });

  test.each([
    ['is not TOML', 'level = ', 'tuntapctl config check'],
    ['has a key that there is not', 'colour = "red"\n', 'tuntapctl config check'],
    ['has a value wrong of a key without a default', '[docker]\napp = "here"\n', 'tuntapctl config check'],
  ])('a configuration that %s is for a person to edit', async (_what, text, fix) => {
    await writeFile(io.configPath, text, { mode: 0o644 });
    await cli('doctor', 'TT010', '--json');
    expect(found('TT010')).toMatchObject({ status: 'fail', fix: [fix] });
  });

  describe('what no command tells is explained where it may be the cause', () => {
    const dataPath = (status: string, reason: string) =>
      madeUpStatus({ conditions: [{ ...condition('DataPath', status as 'True'), reason }] });
    const allow = /allowed in System Settings, Privacy & Security, Local Network/;

    test.each([
      ['14.6.1', 'True', 'Answering', 'pass', /^this Mac is answered$/, 0],
      ['15.1', 'True', 'Answering', 'pass', allow, 0],
      ['15.1', 'False', 'NoLink', 'pass', allow, 0],
      ['14.6.1', 'False', 'NothingAnswers', 'unknown', /^What tuntapd asks nobody about: rules of pf/, 1],
      ['26.0', 'False', 'NothingAnswers', 'unknown', allow, 1],
    ] as const)('macOS %s, DataPath %s: %s', async (macos, status, reason, verdict, detail, steps) => {
      onMac(intel, macos, current.version);
      await daemon(dataPath(status, reason));
      await cli('doctor', 'TT016', '--json');
      expect(found('TT016')).toMatchObject({
        status: verdict,
        detail: expect.stringMatching(detail) as unknown,
      });
      expect(found('TT016')?.fix).toHaveLength(steps);
    });
  });

  test('whether there is a way to the VM is not known while no daemon looks', async () => {
    await cli('doctor', '--json');
    expect(found('TT001')).toMatchObject({
      status: 'unknown',
      detail: expect.stringContaining('an Intel Mac') as unknown,
    });
  });

  test('what to do is done where the trouble is: nothing of /opt but tuntapd’s own is changed wholly', async () => {
    await install();
    const opt = dirname(io.layout.prefix);
    await chmod(opt, 0o777);
    await cli('doctor', '--json');
    expect(found('TT003')?.fix).toEqual([`sudo chown root:wheel ${opt} && sudo chmod go-w ${opt}`]);
    await chmod(io.layout.daemon, 0o666);
    out = '';
    await cli('doctor', '--json');
    expect(found('TT003')?.fix).toEqual([
      `sudo chown root:wheel ${opt} && sudo chmod go-w ${opt}`,
      `sudo chown -R root:wheel ${io.layout.prefix} && sudo chmod -R go-w ${io.layout.prefix}`,
    ]);
  });

  test.each<[string, RequestListener, RegExp, string[]]>([
    ['is silent', () => undefined, /^tuntapd gave no answer within 5 s on .*sock$/, [kickstart]],
    ['answers nonsense', (_request, response) => response.end('<html>'), /is not JSON/, []],
  ])('a daemon that %s', async (_name, answer, detail, fix) => {
    const other = createServer(answer).listen(io.socketPath);
    try {
      expect(await cli('doctor', '--json')).toBe(4);
      expect(found('TT008')?.detail).toMatch(detail);
      expect(found('TT008')?.fix).toEqual([...fix, 'tuntapctl logs -n 50']);
    } finally {
      other.closeAllConnections();
      await promisify(other.close.bind(other))();
    }
  });

  test('each finding is told, with what to do; a check that crashes is not the end', async () => {
    await install();
    await chmod(io.layout.daemon, 0o666);
    await chmod(io.layout.plist, 0o664);
    await writeFile(io.configPath, 'nonsense', { mode: 0o644 });
    await daemon(
      madeUpStatus({ version: '0.9', phase: 'degraded', conditions: [condition('Shim', 'False', 'gone')] }),
    );
    io = { ...io, run: () => Promise.reject(new Error('no such command')) };
    expect(await cli('doctor', '--json')).toBe(4);
    expect(verdicts()).toEqual({
      TT001: 'unknown',
      TT002: 'unknown',
      TT003: 'fail',
      TT004: 'pass',
      TT005: 'fail',
      TT006: 'unknown',
      TT007: 'pass',
      TT008: 'pass',
      TT009: 'fail',
      TT010: 'fail',
      TT011: 'unknown',
      TT012: 'pass',
      TT013: 'pass',
      TT014: 'pass',
      TT015: 'pass',
      TT016: 'unknown',
      TT103: 'fail',
    });
    out = '';
    onTerminal();
    await cli('doctor');
    expect(out).toContain('→ sudo chown root:wheel');
  });

  test('what a reason means to do is told, for the link as it is configured, and causes alone', async () => {
    const held = 'still on tap5';
    await writeFile(io.configPath, '[tap]\ndevice = "tap5"\n', { mode: 0o644 });
    await daemon(
      madeUpStatus({
        ...staleSocket,
        conditions: [
          ...(staleSocket.conditions?.slice(0, 4) ?? []),
          { ...condition('TapAttached', 'False', 'another MAC'), reason: 'OtherMac' },
          { ...condition('Ready', 'False', held), reason: 'AddressNotRemoved' },
        ],
      }),
    );
    onTerminal({}, 200);
    expect(await cli('doctor')).toBe(4);
    expect(out).toMatch(
      /✗ TT105 Does the VM have the link’s network card\?\n +OtherMac: another MAC\n +→ Quit Docker Desktop and open it again\n/,
    );
    expect(out).toMatch(
      /✗ TT107 .*\n +SocketStale: left over\n +→ Restart Docker Desktop, or the runtime that the message names\n/,
    );
    expect(out).toMatch(/→ Delete it yourself: sudo ifconfig tap5 inet 10\.0\.75\.1 delete\n/);
    expect(out).not.toMatch(/TT108|TT111/);
    out = '';
    expect(await cli('doctor', '--json')).toBe(4);
    expect(verdicts()).toMatchObject({ TT107: 'fail', TT108: 'fail', TT111: 'pass' });
  });

  test('the summary quotes a reason that no condition shows: what to do is told there', async () => {
    await daemon(
      madeUpStatus({
        phase: 'blocked',
        conditions: [
          { ...condition('Shim', 'False', 'being removed'), reason: 'Removed' },
          { ...condition('Ready', 'False', 'not permitted'), reason: 'AppManagement' },
        ],
      }),
    );
    onTerminal({}, 200);
    await cli('doctor');
    expect(out).toMatch(/✗ TT110 .*\n +AppManagement: not permitted\n +→ In System Settings/);
  });

  test('one check is asked by its code, also a consequence; there is a list of them', async () => {
    await daemon(madeUpStatus(staleSocket));
    expect(await cli('doctor', 'tt108', '--json')).toBe(4);
    expect(verdicts()).toEqual({ TT108: 'fail' });
    out = '';
    expect(await cli('doctor', 'TT001')).toBe(0);
    expect(out).toMatch(
      /^ok TT001 .*\n +this is an Intel Mac, and nothing rules out a link\n\n1 as it should be, 0 wrong\n$/,
    );
    out = '';
    await cli('doctor', '--list', '--json');
    const listed = (JSON.parse(out) as { id: string }[]).map(({ id }) => id);
    expect(listed.slice(0, 2)).toEqual(['TT001', 'TT002']);
    expect(listed).toContain('TT111');
    expect(new Set(listed).size).toBe(listed.length);
    expect(await cli('doctor', 'TT999')).toBe(2);
    expect(errors).toContain('TT999');
  });

  test('what only the daemon knows is not known while it is dead', async () => {
    expect(await cli('doctor', 'TT103', '--json')).toBe(3);
    expect(found('TT103')).toMatchObject({ status: 'unknown', fix: ['tuntapctl doctor TT008'] });
  });

  test('what only a newer daemon knows goes by its name', async () => {
    await daemon(
      madeUpStatus({ phase: 'degraded', conditions: [condition('Proxy', 'False', 'not served')] }),
    );
    onTerminal({}, 200);
    expect(await cli('doctor')).toBe(4);
    expect(out).toMatch(/✗ Proxy Is Proxy True\?\n +NotGood: not served\n +→ tuntapctl logs -n 50\n/);
  });

  test.each([
    ['Installed', true],
    ['NotManaged', false],
  ])('what Docker’s notice of a changed app means, with the shim %s: %s', async (reason, isTold) => {
    await daemon(madeUpStatus({ conditions: [{ ...condition('Shim'), reason }] }));
    await cli('doctor');
    expect(/about the integrity of its app.*shim restore/.test(out)).toBe(isTold);
  });
});

/** Nothing that moves a cursor, hides or turns text round. */
const visible = (text: string): boolean =>
  !/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u.test(text.replaceAll('\n', ''));

test('whatever others named things: no command prints a control or format character, as text or JSON', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 });
  const nasty = fc.oneof(
    text,
    text.map((some) => `\u001b]0;${some}\u202e\u009b2J\r\u2028`),
  );
  let current = madeUpStatus();
  server = await serveControl({
    socketPath: io.socketPath,
    rootSocketPath: io.layout.rootSocket,
    gid,
    log: () => undefined,
    handlers: {
      version: () => ({ version: current.version, pid: 1 }),
      status: () => current,
      follow: feed.follow,
      metrics: () => 'tuntapd_passes_total 1\ntuntapd_info{version="\u001b[2J"} 1\n',
      up: () => Promise.resolve({ done: false, problems: [current.version] }),
      down: () => Promise.reject(new Error(current.version)),
      restart: () => Promise.resolve({ done: true, problems: [] }),
      restore: () => Promise.resolve({ done: true, problems: [] }),
      leave: () => Promise.resolve({ done: true, problems: [] }),
    },
  });
  const commands = [
    ['status'],
    ['doctor'],
    ['routes'],
    ['names'],
    ['version'],
    ['up'],
    ['logs'],
    ['down'],
    ['stauts'],
  ];
  await fc.assert(
    fc.asyncProperty(nasty, fc.constantFrom(...commands), fc.boolean(), async (words, argv, asJson) => {
      current = madeUpStatus({
        version: words,
        since: words,
        phase: 'degraded',
        conditions: [{ type: words, status: 'False', reason: words, message: words, since: words }],
        routes: [{ subnet: words, network: words, state: 'foreign', why: words }],
        names: {
          zone: words,
          names: [{ name: words, addresses: [words], of: words }],
          more: 1,
          problems: [words],
        },
      });
      await writeFile(
        io.logPath,
        `${words}\n${JSON.stringify({ time: words, level: words, message: words })}\n`,
      );
      [out, errors] = ['', ''];
      await cli(...argv, ...(asJson ? ['--json'] : []), ...(argv[0] === 'stauts' ? [words] : []));
      expect(visible(out + errors)).toBe(true);
      if (asJson && argv[0] === 'status') expect(JSON.parse(out)).toEqual(current);
    }),
    { numRuns: 150 },
  );
}, 30_000);

describe('ping and open', () => {
  const opened: string[] = [];
  beforeEach(async () => {
    opened.length = 0;
    await daemon(healthyStatus);
    const table = '    gateway: 10.0.75.2\n  interface: tap1\n';
    io = {
      ...io,
      run: (file, args) => {
        if (file === '/usr/bin/open') opened.push(...args);
        return Promise.resolve({ stdout: file === '/sbin/route' ? table : '', stderr: '', exitCode: 0 });
      },
    };
  });

  test('a container that answers: each hop, and 0', async () => {
    expect(await cli('ping', 'web')).toBe(0);
    expect(out).toMatch(/^ok container +web runs with 172\.17\.0\.2\n[^]*ok ports +80 is open\n$/);
  });

  test('one whose program does not listen: where it ends, and 1', async () => {
    expect(await cli('ping', 'shop-db-1')).toBe(1);
    expect(out).toMatch(/FAIL ports +5432: nobody listens\n +-> docker logs shop-db-1/);
    out = '';
    expect(await cli('ping', 'shop-db-1', '--json')).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ address: '172.18.0.2', reached: false });
  });

  test('a name that nobody has is guessed', async () => {
    expect(await cli('ping', 'shop-bd-1')).toBe(1);
    expect(errors).toContain('did you mean shop-db-1');
  });

  test('open goes to the likeliest port, once somebody listens there', async () => {
    expect(await cli('open', 'web')).toBe(0);
    expect(await cli('open', '172.17.0.2:80')).toBe(0);
    expect(opened).toEqual(['http://172.17.0.2/', 'http://172.17.0.2/']);
    expect(await cli('open', 'shop-db-1')).toBe(1);
    expect(errors).toContain(
      'nobody listens on port 5432 of shop-db-1 (ECONNREFUSED): see tuntapctl ping shop-db-1',
    );
    expect(await cli('open', 'web:http')).toBe(2);
    expect(opened).toHaveLength(2);
  });

  test('open takes an IPv6 address, with a port as URLs have it', async () => {
    await server?.close();
    const [web, ...others] = healthyStatus.containers ?? [];
    if (!web) throw new Error('no container');
    const endpoints = [{ network: 'bridge', address: 'fd00:d0c::2' }];
    await daemon({
      ...healthyStatus,
      containers: [{ ...web, endpoints }, ...others],
      ...(healthyStatus.link && {
        link: {
          ...healthyStatus.link,
          ipv6: { address: 'fd3e::1', peer: 'fd3e::2', network: 'fd3e::/126', state: 'up' },
        },
      }),
    });
    io = { ...io, connect: () => Promise.resolve({ alive: true, said: 'connected' }) };
    expect(await cli('open', 'fd00:d0c::2')).toBe(0);
    expect(await cli('open', '[fd00:d0c::2]')).toBe(0);
    expect(await cli('open', '[fd00:d0c::2]:8080')).toBe(0);
    expect(opened).toEqual(['http://[fd00:d0c::2]/', 'http://[fd00:d0c::2]/', 'http://[fd00:d0c::2]:8080/']);
    expect(await cli('open', '[fd00:d0c::2]:http')).toBe(2);
    expect(await cli('open', 'fd00:d0c::3')).toBe(1);
    expect(errors).toContain('no running container is called fd00:d0c::3');
  });

  test('open takes a name to the browser, which tells it to whom it asks; where macOS finds none, an address', async () => {
    expect(await cli('open', 'blog.web.docker:80')).toBe(0);
    await server?.close();
    const conditions = healthyStatus.conditions.map((each) =>
      each.type === 'Names' ? { ...each, status: 'False' as const } : each,
    );
    await daemon({ ...healthyStatus, conditions });
    expect(await cli('open', 'blog.web.docker')).toBe(0);
    expect(opened).toEqual(['http://blog.web.docker/', 'http://172.17.0.2/']);
  });

  test('root opens nothing itself: whoever called sudo does, or nobody', async () => {
    const ran: string[] = [];
    const { run } = io;
    io = {
      ...io,
      uid: 0,
      env: { SUDO_UID: '501' },
      run: (file, args) => {
        ran.push([file, ...args].join(' '));
        return run(file, args);
      },
    };
    expect(await cli('open', 'web')).toBe(0);
    expect(ran).toEqual(['/usr/bin/sudo -u #501 /usr/bin/open http://172.17.0.2/']);
    for (const env of [{}, { SUDO_UID: '0' }, { SUDO_UID: '-1' }]) {
      io = { ...io, env };
      errors = '';
      expect(await cli('open', 'web')).toBe(1);
      expect(errors).toContain('http://172.17.0.2/');
    }
    expect(ran).toHaveLength(1);
  });

  test('before the containers are known', async () => {
    await server?.close();
    await daemon(madeUpStatus());
    expect(await cli('ping', 'web')).toBe(1);
    expect(errors).toContain('containers are not known');
  });
});

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
      io.logPath,
      `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message: `shop-db-1 of ${secret} left 8.8.8.8` })}\n`,
    );
    await writeFile(io.configPath, '[docker]\napp = "/Users/ada/Docker.app"\n', { mode: 0o644 });
    io = {
      ...io,
      run: (file) =>
        file === '/usr/sbin/scutil'
          ? Promise.reject(new Error('no such command'))
          : Promise.resolve({
              stdout: file === '/usr/sbin/netstat' ? '8.8.8/24  10.0.0.1\n' : 'ether 02:74:75:6e:74:61\n',
              stderr: '',
              exitCode: 0,
            }),
    };
  });

  test('one archive that tar reads, with everything masked, told before it is written, and over nobody’s file', async () => {
    const path = join(root, 'report.tar.gz');
    expect(await cli('bugreport', '--output', path)).toBe(0);
    expect(out).toMatch(
      /holds[^]*status\.json +\d+ bytes[^]*report\.tar\.gz is written, and nothing was sent/,
    );
    const names = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' }).trim().split('\n');
    expect(names).toEqual(
      expect.arrayContaining(['status.json', 'doctor.json', 'routes.txt', 'tuntapd.log', 'config.toml']),
    );
    const all = execFileSync('tar', ['-xzOf', path], { encoding: 'utf8' });
    expect(all).toContain('10.0.0.1');
    expect(all).toContain('172.18.0.2');
    expect(all).toContain('not there: no such command');
    expect(all).not.toMatch(/\bada\b|shop|8\.8\.8|02:74:75:6e:74:61/);
    const status = execFileSync('tar', ['-xzOf', path, 'status.json'], { encoding: 'utf8' });
    expect((JSON.parse(status) as Status).phase).toBe('ready');
    expect(await cli('bugreport', '--output', path)).toBe(1);
    expect(execFileSync('tar', ['-xzOf', path], { encoding: 'utf8' })).toBe(all);
  });

  test('--show prints the same and writes nothing', async () => {
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(out).toMatch(/^== versions\.txt\ntuntapctl 1\.2\.3$/m);
    expect(out).not.toMatch(/\bada\b|shop|8\.8\.8/);
  });

  test('--show cuts no line, and ends what would move the cursor', async () => {
    const message = `${'long '.repeat(1000)}\u001b[2Jend`;
    await writeFile(
      io.logPath,
      `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message })}\n${'y'.repeat(3000)}\u001b[2J.\n`,
    );
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(out).toMatch(/(long ){1000}\\u001b\[2Jend/);
    expect(out).toMatch(/y{3000} \[2J\.\n/);
    expect(out).not.toContain('\u001b');
  });

  test('how to read it first is told before it is written', async () => {
    const path = join(root, 'report.tar.gz');
    let isThere = null;
    io = {
      ...io,
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
    await server?.close();
    server = null;
    const path = join(root, 'dead.tar.gz');
    expect(await cli('bugreport', '-o', path)).toBe(0);
    expect(execFileSync('tar', ['-xzOf', path, 'versions.txt'], { encoding: 'utf8' })).toContain(
      'does not answer',
    );
  });

  test('why the daemon says nothing is told as it is', async () => {
    await server?.close();
    server = null;
    const other = createServer((_request, response) => response.end('{"other":1}')).listen(io.socketPath);
    expect(await cli('bugreport', '--show')).toBe(0);
    await promisify(other.close.bind(other))();
    expect(out).toMatch(/^== versions\.txt\ntuntapctl 1\.2\.3\ntuntapd does not answer: .*versions differ/m);
  });

  test.each([
    ['the daemon', null],
    ['Docker', { routes: [], containers: [], engine: null }],
  ])('Docker’s names are masked also when %s is down', async (_who, change) => {
    if (change === null) {
      await server?.close();
      server = null;
    } else {
      await server?.close();
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
    await writeFile(io.logPath, `${lines.join('\n')}\n`);
    await writeFile(
      io.configPath,
      '[routes]\ninclude = [\n  "apollo_*",\n  "driver=bridge",\n]\nexclude = ["label=team=ares"]\n',
      { mode: 0o644 },
    );
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(out).not.toMatch(/payroll|merger|zeus|olymp|hera|grace|apollo|ares/);
    expect(out).toMatch(/include = \[\s+"name-\d+\*",\s+"driver=bridge"/);
    expect(out).toContain('172.19.0.0/16');
  });

  test('domains of the resolvers, and the context with where it leads, are masked in every file', async () => {
    const { run } = io;
    io = {
      ...io,
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
      io.logPath,
      `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message })}\n`,
    );
    await writeFile(io.configPath, '[docker]\ncontext = "tps"\n', { mode: 0o644 });
    expect(await cli('bugreport', '--show')).toBe(0);
    expect(out).not.toMatch(/initech|lumbergh|tps/);
    expect(out).toMatch(/search domain\[0\] : host-\d+\n[^]*domain +: local\n/);
    expect(out).toContain('“name-');
  });
});

describe('names', () => {
  const zone = (problems: string[] = []): Status['names'] => ({
    zone: 'docker',
    names: [
      { name: 'web', addresses: ['172.17.0.2', '172.17.0.3'], of: 'container web' },
      { name: 'web.shop', addresses: ['172.18.0.2'], of: 'service web of shop' },
    ],
    more: 3,
    problems,
  });

  test('each with its addresses and what it stands for, and who else claims one', async () => {
    await daemon(madeUpStatus({ names: zone(['web.docker is both']) }));
    expect(await cli('names')).toBe(0);
    expect(out).toMatch(/^web\.docker +172\.17\.0\.2 172\.17\.0\.3 +container web\n/);
    expect(out).toMatch(
      /^web\.shop\.docker +172\.18\.0\.2 +service web of shop\nand 3 more\n\n! web\.docker is both\n$/m,
    );
  });

  test('that do not work are amiss although addresses answer: status and doctor say so', async () => {
    const foreign = { ...condition('Names', 'False', 'somebody’s file'), reason: 'FileForeign' };
    await daemon(madeUpStatus({ conditions: [foreign] }));
    onTerminal({}, 200);
    expect(await cli('status')).toBe(0);
    expect(out).toMatch(/✗ Names: somebody’s file\n[^]*→ See what is there: ls -l/);
    out = '';
    await cli('doctor');
    expect(out).toMatch(
      /✗ TT120 Do containers answer by name\?\n +FileForeign: somebody’s file\n +→ See what is there: ls -l/,
    );
  });

  test('the status shows them beside the addresses', async () => {
    await daemon(healthyStatus);
    await cli('status');
    expect(out).toMatch(/ web +172\.17\.0\.2 +web\.docker\n/);
    expect(out).toMatch(/ shop-web-1 +172\.18\.0\.3 +web\.shop\.docker\n/);
  });

  describe('doctor asks the server that macOS is sent to', () => {
    const served = (
      name: string,
      addresses: string[],
      status: 'True' | 'False' = 'True',
    ): Partial<Status> => ({
      names: { zone: 'docker', names: [{ name, addresses, of: `container ${name}` }], more: 0, problems: [] },
      conditions: [condition('Names', status)],
    });
    test.each<[string, Partial<Status>, string | null, string, string]>([
      [
        'it answers',
        served('web', ['172.17.0.2', '172.17.0.3']),
        resolverText(299),
        'ok',
        'web.docker is 172.17.0.2',
      ],
      [
        'it answers with what has changed since',
        served('web', ['172.17.0.9']),
        resolverText(299),
        'FAIL',
        '127.0.0.1, port 299, has 172.17.0.2 for web.docker, which is 172.17.0.9',
      ],
      [
        'it does not answer',
        served('web', ['172.17.0.2']),
        resolverText(298),
        'FAIL',
        '127.0.0.1, port 298, does not answer for web.docker (ENOTFOUND)',
      ],
      [
        'the file is not ours',
        served('web', ['172.17.0.2']),
        'nameserver 10.0.0.1\n',
        '?',
        'is not tuntapd’s',
      ],
      ['there is no file', served('web', ['172.17.0.2']), null, '?', 'ENOENT'],
      [
        'names do not work',
        served('web', ['172.17.0.2'], 'False'),
        resolverText(299),
        '?',
        'names do not work now',
      ],
      [
        'nobody has a name',
        { names: { zone: 'docker', names: [], more: 0, problems: [] } },
        null,
        'ok',
        'no container has',
      ],
      ['there are none', { names: null }, null, 'ok', 'there are to be no names'],
    ])('%s', async (_what, status, file, sign, detail) => {
      await daemon(madeUpStatus(status));
      await mkdir(io.layout.resolvers, { recursive: true });
      if (file !== null) await writeFile(join(io.layout.resolvers, 'docker'), file);
      await cli('doctor', 'tt012');
      expect(out).toContain(`${sign} TT012 Does tuntapd’s server answer for a container’s name?\n`);
      expect(out).toContain(detail);
    });

    test.each<[string, Partial<Status>, string, string]>([
      ['macOS finds it', served('web', ['172.17.0.2']), 'ok', 'web.docker is 172.17.0.2'],
      [
        'macOS has another address',
        served('web', ['172.17.0.9']),
        'FAIL',
        'macOS says that web.docker is 172.17.0.2, and not 172.17.0.9',
      ],
      ['macOS does not find it', served('db', ['172.17.0.9']), 'FAIL', 'does not find db.docker (ENOTFOUND)'],
      ['names do not work', served('web', ['172.17.0.2'], 'False'), '?', 'names do not work now'],
      ['there are none', { names: null }, 'ok', 'there are to be no names'],
    ])('to programs: %s', async (_what, status, sign, detail) => {
      await daemon(madeUpStatus(status));
      await cli('doctor', 'TT013');
      expect(out).toContain(`${sign} TT013 Do programs find a container by its name?\n`);
      expect(out).toContain(detail);
    });

    test.each(['TT012', 'TT013'])('of a daemon that is dead nobody knows: %s', async (code) => {
      await cli('doctor', code);
      expect(out).toMatch(/^\? TT01[23] .*\n +the daemon, which knows the names, does not answer\n/);
    });
  });

  test.each<[Partial<Status>, string]>([
    [{ names: null, vm: null }, 'No container has a name (Docker’s VM does not run).\n'],
    [
      { names: null, conditions: [condition('Names', 'False', 'not served')] },
      'No container has a name (not served).\n',
    ],
    [{}, 'No container has a name (this daemon knows no names).\n'],
  ])('without any it says why', async (change, words) => {
    await daemon(madeUpStatus(change));
    expect(await cli('names')).toBe(0);
    expect(out).toBe(words);
    expect(await cli('names', '--json')).toBe(0);
    expect(out).toMatch(/null\n$/);
  });
});

test('completion as JSON', async () => {
  expect(await cli('completion', 'zsh', '--json')).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    shell: 'zsh',
    script: expect.stringMatching(/^#compdef/) as unknown,
  });
});

test.each([['bash'], ['zsh']])('completion for %s', async (shell) => {
  expect(await cli('completion', shell)).toBe(0);
  expect(out).toContain('complete -F _tuntapctl tuntapctl');
});

test('fish is told every command and option with its description, and nothing that breaks its quotes', async () => {
  expect(await cli('completion', 'fish')).toBe(0);
  expect(out).toContain("complete -c tuntapctl -n 'not __fish_seen_subcommand_from status ");
  expect(out).toMatch(/-n '__fish_seen_subcommand_from logs' -s f -l follow -d 'print new lines/);
  expect(out).toMatch(/-n '__fish_seen_subcommand_from logs' -l level -x -a 'error warn info debug'/);
  expect(out).toMatch(
    /-n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from set' -a tap\.mtu -d /,
  );
  for (const line of out.trimEnd().split('\n'))
    expect(line).toMatch(/^complete -c tuntapctl( -[a-z] ?('([^'\\]|\\.)*'|[\w.-]+)?)*$/);
});

/** Each command as it is typed, those with commands below them too. */
const commandsOf = (command: Command, path: readonly string[] = []): string[] =>
  command.commands.flatMap((child) => {
    const at = [...path, child.name()];
    return [at.join(' '), ...commandsOf(child, at)];
  });
const every = commandsOf(programOf({} as Io, () => undefined));

test.each(['', ...every].flatMap((command) => [80, 120].map((columns) => [command, columns] as const)))(
  'help of %j in %i columns',
  async (command, columns) => {
    io = { ...io, stdout: { ...io.stdout, columns } };
    expect(await cli(...command.split(' ').filter((word) => word !== ''), '--help')).toBe(0);
    expect(`\n${out}`).toMatchSnapshot();
    const prose = out.split('\n').filter((line) => !/^ +(sudo )?tuntapctl /.test(line));
    expect(prose.filter((line) => line.length > columns)).toEqual([]);
  },
);

test('the manual is made of the source as it is (node docs/make.mjs), and tells every command', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/tuntapctl.1'), 'utf8');
  expect(page).toBe(renderManual());
  for (const command of every)
    if (!['config', 'shim'].includes(command)) expect(page).toContain(`\n.SS tuntapctl ${command} `);
  // A line that begins with a dot or an apostrophe is a request to roff.
  for (const line of page.split('\n')) expect(line).not.toMatch(/^'|^\.(?!\\"|TH|SH|SS|TP|B |I )/);
});

describe('transcripts, each looked at', () => {
  const states = ['healthy', 'a conflict with a VPN', 'dead'] as const;
  const commands = ['doctor TT008 TT103 TT108 TT109', 'routes', 'routes --all', 'ping web', 'version', 'up'];
  const cases = [
    ...states.flatMap((state) => commands.map((command) => [command, state] as const)),
    ['doctor --list', 'healthy'] as const,
    ['config show', 'healthy'] as const,
  ].flatMap((each) => [80, 120].map((columns) => [...each, columns] as const));

  test.each(cases)('%s, %s, in %i columns', async (command, state, columns) => {
    if (state !== 'dead') await daemon(scenes[state]);
    onTerminal({}, columns);
    const { run } = io;
    io = {
      ...io,
      run: (file, args) =>
        file === '/sbin/route'
          ? Promise.resolve({ stdout: 'gateway: 10.0.75.2\ninterface: tap1\n', stderr: '', exitCode: 0 })
          : run(file, args),
    };
    const code = await cli(...command.split(' '));
    const said = `${out}${errors}`.replaceAll(root, '').replaceAll(/node \d+\.\d+\.\d+/g, 'node N.N.N');
    expect(`\n$ tuntapctl ${command}\n${said}[exit ${code}]\n`).toMatchSnapshot();
  });
});

describe('uninstall', () => {
  test('is for root alone, who is given the line to paste', async () => {
    expect(await cli('uninstall', '--purge', '--force')).toBe(1);
    expect(errors).toContain('only root removes tuntapd: sudo tuntapctl uninstall --purge --force\n');
    expect(handedOver).toEqual([]);
  });

  describe('as root', () => {
    beforeEach(() => {
      io = { ...io, uid: 0 };
    });

    test('ends as the installed uninstaller does', async () => {
      const { cliRuntime, uninstaller } = io.layout;
      for (const path of [cliRuntime, uninstaller]) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, '');
      }
      expect(await cli('uninstall', '--purge')).toBe(1);
      expect(handedOver).toEqual([cliRuntime, uninstaller, 'tuntapctl', '--purge']);
      await cli('uninstall', '--json');
      expect(handedOver).toEqual([cliRuntime, uninstaller, 'tuntapctl', '--json']);
    });

    test('says what is missing of an installation that cannot remove itself', async () => {
      expect(await cli('uninstall')).toBe(1);
      expect(errors).toContain(
        `${io.layout.cliRuntime} cannot be read, and without it tuntapd is not removed`,
      );
      expect(handedOver).toEqual([]);
    });
  });
});

test('what is mistyped is guessed', async () => {
  expect(await cli('stauts')).toBe(2);
  expect(errors).toMatch(/Did you mean status\?/);
  expect(await cli('status', '--jsno')).toBe(2);
  expect(errors).toMatch(/Did you mean --json\?/);
});

test.each([
  [['stauts'], 'tuntapctl --help'],
  [['ping'], 'tuntapctl ping --help'],
  [['config', 'set', 'log.level'], 'tuntapctl config set --help'],
])('what is wrong with %j leads to %s', async (words, help) => {
  expect(await cli(...words)).toBe(2);
  expect(errors).toContain(`(see ${help})`);
});

test('bash completes commands, subcommands and options', async () => {
  await cli('completion', 'bash');
  const complete = (...words: string[]): string[] =>
    execFileSync(
      'bash',
      [
        '-c',
        `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tuntapctl; echo "\${COMPREPLY[@]}"`,
        '-',
        ...words,
      ],
      { encoding: 'utf8' },
    )
      .trim()
      .split(' ');
  expect(complete('tuntapctl', 'st')).toEqual(['status']);
  expect(complete('tuntapctl', 'config', 's')).toEqual(['show', 'set', 'schema']);
  expect(complete('tuntapctl', 'logs', '--f')).toEqual(['--follow']);
  expect(complete('tuntapctl', 'completion', 'z')).toEqual(['zsh']);
  expect(complete('tuntapctl', 'help', 'st')).toEqual(['status']);
  expect(complete('tuntapctl', 'config', 'help', 'sc')).toEqual(['schema']);
  expect(complete('tuntapctl', 'logs', '-n', '')).toEqual(['']);
  expect(complete('tuntapctl', 'logs', '-n', '50', '--f')).toEqual(['--follow']);
  expect(complete('tuntapctl', 'config', 'set', 'tap.p')).toEqual(['tap.peer', 'tap.prefix']);
  expect(complete('tuntapctl', 'config', 'set', 'tap.peer', 'tap.p')).toEqual(['']);
  expect(complete('tuntapctl', 'config', 'set', 'tap.peer', '10.9.0.2', '--json', 'tap.a')).toEqual([
    'tap.address',
  ]);
});

// Every Mac has zsh; a Linux machine may have none.
const withZsh = spawnSync('zsh', ['-c', '']).error ? test.skip : test;

withZsh.each([
  ['as a file in fpath, from the first TAB', 'autoload -U compinit; compinit -u -D'],
  ['sourced', 'autoload -U compinit; compinit -u -D; source $fpath[1]/_tuntapctl'],
])('zsh completes %s', async (_name, rc) => {
  await cli('completion', 'zsh');
  await writeFile(join(root, '_tuntapctl'), out);
  await writeFile(join(root, '.zshrc'), `PS1='> '; fpath=(${root} $fpath); ${rc}; print ready\n`);
  const script = `
    zmodload zsh/zpty
    zpty shell 'ZDOTDIR=${root} TERM=dumb zsh -i'
    zpty -r shell text '*ready*'
    zpty -w -n shell $'tuntapctl stat\\t'
    zpty -r -m shell text '*status *'
    zpty -w -n shell $'\\C-utuntapctl config set tap.mt\\t'
    zpty -r -m shell text '*tap.mtu *'
    print done`;
  expect(execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8', timeout: 10_000 })).toBe('done\n');
});
