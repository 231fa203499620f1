import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Io } from '../../../cli/io.js';
import { main } from '../../../cli/main.js';
import type { Outcome, Status } from '../../../daemon/api/messages.js';
import { type ControlServer, serveControl } from '../../../daemon/control/server.js';
import { layoutAt } from '../../../daemon/lib/layout.js';
import { current, old } from '../../../daemon/lib/runtimes.js';
import { condition, madeUpStatus } from './made-up.js';

const kickstart = 'sudo launchctl kickstart -k system/io.github.tuntapd';
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
let root: string;
let io: Io;
let out: string;
let errors: string;
let server: ControlServer | null;
let stop: AbortController;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cli-'));
  const layout = layoutAt(root, { uid, gid }, gid);
  for (const folder of [dirname(layout.socket), layout.logs, layout.configuration])
    await mkdir(folder, { recursive: true });
  out = '';
  errors = '';
  server = null;
  stop = new AbortController();
  io = {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    env: {},
    version: '1.2.3',
    socketPath: layout.socket,
    logPath: join(layout.logs, 'tuntapd.log'),
    configPath: join(layout.configuration, 'config.toml'),
    layout,
    run: (file) =>
      Promise.resolve({
        stdout:
          file === '/usr/bin/uname'
            ? 'x86_64\n'
            : file === layout.cliRuntime
              ? `v${old.version}\n`
              : '12.7.6\n',
        stderr: '',
        exitCode: 0,
      }),
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

  test('shows every condition with a tick, its message, and the routes', async () => {
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
    expect(await cli('status')).toBe(4);
    expect(out).toMatch(/✓ TapDevice {2}fine/);
    expect(out).toMatch(/✗ Shim {7}reinstall Docker \[31m dab/);
    expect(out).toMatch(/\? Engine {5}no answer/);
    expect(out).toMatch(/✓ 172\.31\.0\.0\/16 {2}bridge {2}routed/);
    expect(out).toMatch(/– 10\.0\.0\.0\/8 {5}huge {4}refused/);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('\u202e');
  });

  test('shows causes alone; what follows from them is in the JSON', async () => {
    await daemon(madeUpStatus(staleSocket));
    await cli('status');
    expect(out.match(/^ {2}\S \w+ .*/gm)?.slice(0, 2)).toEqual([
      '  ✓ TapDevice  fine',
      '  ? Engine     left over',
    ]);
    expect(out).not.toMatch(/Guest|DataPath|Ready/);
    out = '';
    await cli('status', '--json');
    expect(JSON.parse(out)).toEqual(madeUpStatus(staleSocket));
  });

  test('what is missing while there is nothing to do is not marked as wrong', async () => {
    await daemon(madeUpStatus({ phase: 'idle', conditions: [condition('Engine', 'False', 'no VM')] }));
    await cli('status');
    expect(out).toContain('· Engine');
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
    expect(out).toContain('\u001b[32m✓');
    out = '';
    io = { ...io, env: { NO_COLOR: '1' } };
    await cli('status');
    expect(out).not.toContain('\u001b');
  });
});

test.each([['status'], ['up'], ['routes'], ['doctor']])(
  '%s without a daemon ends with 3',
  async (command) => {
    expect(await cli(command)).toBe(3);
    expect(out + errors).toContain(
      'sudo launchctl kickstart -k system/io.github.tuntapd, or sudo make install-daemon',
    );
  },
);

test.each([['up'], ['down'], ['restart']])('%s asks the daemon', async (action) => {
  const asked = await daemon();
  expect(await cli(action)).toBe(0);
  expect(asked).toEqual([action]);
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
  [['completion', 'fish'], 2],
  [['--help'], 0],
  [['config', '--help'], 0],
])('%j ends with %i', async (argv, code) => {
  expect(await cli(...argv)).toBe(code);
  expect((code === 0 ? out : errors).length).toBeGreaterThan(0);
});

test('version, with and without a daemon', async () => {
  expect(await cli('version', '--json')).toBe(0);
  expect(JSON.parse(out)).toEqual({ tuntapctl: '1.2.3', tuntapd: null });
  await daemon();
  out = '';
  expect(await cli('version')).toBe(0);
  expect(out).toBe('tuntapctl 1.2.3\ntuntapd   1.2.3 (pid 4711)\n');
});

describe('logs', () => {
  const entry = (message: string): string =>
    `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message, pass: 'p1', more: 1 })}\n`;
  const until = async (wanted: () => boolean): Promise<void> => {
    for (const end = Date.now() + 5000; !wanted() && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };

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
    expect(await cli('config', 'set', 'tap.mut', '1400')).toBe(1);
    expect(errors).toContain('did you mean tap.mtu?');
    expect(await cli('config', 'set', 'tap.mtu', '1300', 'log.level', 'loud')).toBe(1);
    expect(await readFile(io.configPath, 'utf8')).toBe('# mine\n[tap]\nmtu = 1400 # usual\n');
  });

  test('set moves both ends of the link at once', async () => {
    const ends = ['tap.address', '192.168.255.253', 'tap.peer', '192.168.255.254'];
    expect(await cli('config', 'set', ...ends, '--json')).toBe(0);
    expect(JSON.parse(out)).toEqual([
      { key: 'tap.address', value: '192.168.255.253', changed: true },
      { key: 'tap.peer', value: '192.168.255.254', changed: true },
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
    for (const file of [layout.daemon, layout.cli, layout.plist]) await writeFile(file, '', { mode: 0o644 });
    await symlink(layout.cli, layout.cliLink);
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
    const answer = (stdout: string) => Promise.resolve({ stdout, stderr: '', exitCode: 0 });
    io = { ...io, run: (file) => answer(file === io.layout.cliRuntime ? `v${installed.version}\n` : macos) };
    await cli('doctor', '--json');
    expect(found('TT011')).toMatchObject({
      status,
      detail: expect.stringMatching(detail) as unknown,
      fix: status === 'fail' ? ['sudo make install-daemon'] : [],
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
    ['answers nonsense', (_request, response) => response.end('<html>'), /is no JSON/, []],
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
      TT103: 'fail',
    });
    out = '';
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
    expect(await cli('doctor')).toBe(4);
    expect(out).toMatch(
      /✗ TT105 Does the VM hold the tap\?\n +OtherMac: another MAC\n +→ Quit Docker Desktop and open it again\n/,
    );
    expect(out).toMatch(/\? TT107 .*\n +SocketStale: left over\n +→ Quit Docker Desktop and open it again\n/);
    expect(out).toMatch(/→ Delete it yourself: sudo ifconfig tap5 inet 10\.0\.75\.1 delete\n/);
    expect(out).not.toMatch(/TT108|TT111/);
    out = '';
    expect(await cli('doctor', '--json')).toBe(4);
    expect(verdicts()).toMatchObject({ TT107: 'unknown', TT108: 'fail', TT111: 'fail' });
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
    await cli('doctor');
    expect(out).toMatch(/✗ TT110 .*\n +AppManagement: not permitted\n +→ In System Settings/);
  });

  test('what only a newer daemon knows goes by its name', async () => {
    await daemon(
      madeUpStatus({ phase: 'degraded', conditions: [condition('Proxy', 'False', 'not served')] }),
    );
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
    expect(await cli('status')).toBe(0);
    expect(out).toMatch(/ ✗ Names +somebody’s file\n/);
    await cli('doctor');
    expect(out).toMatch(
      /✗ TT120 Do containers answer by name\?\n +FileForeign: somebody’s file\n +→ See what is there: ls -l/,
    );
  });

  test('the status shows them beside the addresses', async () => {
    await daemon(madeUpStatus({ names: zone() }));
    await cli('status');
    expect(out).toMatch(/\nNames\n {2}web\.docker +172\.17\.0\.2 172\.17\.0\.3\n/);
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
