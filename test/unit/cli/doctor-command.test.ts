/** What `tuntapctl doctor` finds on a made-up Mac, and how it tells. */
import { execFileSync } from 'node:child_process';
import { appendFile, chmod, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { runtimes } from '../../../daemon/lib/runtimes.js';
import { condition, madeUpStatus, staleSocket } from './made-up.js';
import { healthyStatus } from './scenes.js';
import { session } from './session.js';
import { appleSilicon, byRosetta, installed, intel } from './stage.js';

const kickstart = 'sudo launchctl kickstart -k system/io.github.tuntapd';
const { current, old } = runtimes.x64;

const mac = session();
const { cli, daemon, onTerminal } = mac;

describe('doctor', () => {
  const install = (): Promise<void> => installed(mac.io.layout);
  function onMac(machine: string, macos: string, node: string): void {
    const { cliRuntime } = mac.io.layout;
    const said: Record<string, string> = { '/usr/bin/uname': machine, [cliRuntime]: `v${node}\n` };
    mac.io = {
      ...mac.io,
      run: (file) => Promise.resolve({ stdout: said[file] ?? macos, stderr: '', exitCode: 0 }),
    };
  }
  const found = (id: string): { status: string; detail: string; fix: string[] } | undefined =>
    (JSON.parse(mac.out) as { id: string; status: string; detail: string; fix: string[] }[]).find(
      (finding) => finding.id === id,
    );
  const verdicts = (): Record<string, string> =>
    Object.fromEntries(
      (JSON.parse(mac.out) as { id: string; status: string }[]).map(({ id, status }) => [id, status]),
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
    await writeFile(join(mac.io.layout.prefix, 'manifest.json'), JSON.stringify({ version: installed }));
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
    mac.out = '';
    await appendFile(mac.io.layout.cliRuntime, 'another');
    await cli('doctor', 'TT015', '--json');
    expect(found('TT015')).toMatchObject({ status: 'fail', fix: ['sudo make install-daemon'] });
  });

  test.each([
    ['a value that is not allowed', '[log]\nlevel = "loud"\nmaxFiles = 0\n'],
    ['an element of a list', '[routes]\nallow = ["10.0.0.0/8", "everything"]\n'],
    ['another value', 'restartDocker = "perhaps"\n'],
  ])('the configuration has %s: what is printed mends it', async (_what, text) => {
    await writeFile(mac.io.configPath, text, { mode: 0o644 });
    await cli('doctor', 'TT010', '--json');
    expect(found('TT010')?.status).toBe('fail');
    const [typed = ''] = found('TT010')?.fix ?? [];
    const words = execFileSync('sh', ['-c', typed.replace(/^sudo tuntapctl/, "printf '%s\\n'")], {
      encoding: 'utf8',
    });
    await cli(...words.trim().split('\n'));
    mac.out = '';
    await cli('doctor', 'TT010', '--json');
    expect(found('TT010')?.status).toBe('pass');
  });

  test.each([
    ['is not TOML', 'level = ', 'tuntapctl config check'],
    ['has a key that there is not', 'colour = "red"\n', 'tuntapctl config check'],
    ['has a value wrong of a key without a default', '[docker]\napp = "here"\n', 'tuntapctl config check'],
  ])('a configuration that %s is for a person to edit', async (_what, text, fix) => {
    await writeFile(mac.io.configPath, text, { mode: 0o644 });
    await cli('doctor', 'TT010', '--json');
    expect(found('TT010')).toMatchObject({ status: 'fail', fix: [fix] });
  });

  describe('what no command tells is explained where it may be the cause', () => {
    const dataPath = (status: string, reason: string) =>
      madeUpStatus({ conditions: [{ ...condition('DataPath', status as 'True'), reason }] });
    const allow = /allow it in System Settings, Privacy & Security, Local Network/;

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
    const opt = dirname(mac.io.layout.prefix);
    await chmod(opt, 0o777);
    await cli('doctor', '--json');
    expect(found('TT003')?.fix).toEqual([`sudo chown root:wheel ${opt} && sudo chmod go-w ${opt}`]);
    await chmod(mac.io.layout.daemon, 0o666);
    mac.out = '';
    await cli('doctor', '--json');
    expect(found('TT003')?.fix).toEqual([
      `sudo chown root:wheel ${opt} && sudo chmod go-w ${opt}`,
      `sudo chown -R root:wheel ${mac.io.layout.prefix} && sudo chmod -R go-w ${mac.io.layout.prefix}`,
    ]);
  });

  test.each<[string, RequestListener, RegExp, string[]]>([
    ['is silent', () => undefined, /^tuntapd gave no answer within 5 s on .*sock$/, [kickstart]],
    ['answers nonsense', (_request, response) => response.end('<html>'), /is not JSON/, []],
  ])('a daemon that %s', async (_name, answer, detail, fix) => {
    const other = createServer(answer).listen(mac.io.socketPath);
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
    await chmod(mac.io.layout.daemon, 0o666);
    await chmod(mac.io.layout.plist, 0o664);
    await writeFile(mac.io.configPath, 'nonsense', { mode: 0o644 });
    await daemon(
      madeUpStatus({ version: '0.9', phase: 'degraded', conditions: [condition('Shim', 'False', 'gone')] }),
    );
    mac.io = { ...mac.io, run: () => Promise.reject(new Error('no such command')) };
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
    mac.out = '';
    onTerminal();
    await cli('doctor');
    expect(mac.out).toContain('→ sudo chown root:wheel');
  });

  test('what a reason means to do is told, for the link as it is configured, and causes alone', async () => {
    const held = 'still on tap5';
    await writeFile(mac.io.configPath, '[tap]\ndevice = "tap5"\n', { mode: 0o644 });
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
    expect(mac.out).toMatch(
      /✗ TT105 Does the VM have the link’s network card\?\n +OtherMac: another MAC\n +→ Quit Docker Desktop and open it again\n/,
    );
    expect(mac.out).toMatch(
      /✗ TT107 .*\n +SocketStale: left over\n +→ Restart Docker Desktop, or the runtime that the message names\n/,
    );
    expect(mac.out).toMatch(/→ Delete it yourself: sudo ifconfig tap5 inet 10\.0\.75\.1 delete\n/);
    expect(mac.out).not.toMatch(/TT108|TT111/);
    mac.out = '';
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
    expect(mac.out).toMatch(/✗ TT110 .*\n +AppManagement: not permitted\n +→ In System Settings/);
  });

  test('one check is asked by its code, also a consequence; there is a list of them', async () => {
    await daemon(madeUpStatus(staleSocket));
    expect(await cli('doctor', 'tt108', '--json')).toBe(4);
    expect(verdicts()).toEqual({ TT108: 'fail' });
    mac.out = '';
    expect(await cli('doctor', 'TT001')).toBe(0);
    expect(mac.out).toMatch(
      /^ok TT001 .*\n +this is an Intel Mac, and nothing rules out a link\n\n1 as it should be, 0 wrong\n$/,
    );
    mac.out = '';
    await cli('doctor', '--list', '--json');
    const listed = (JSON.parse(mac.out) as { id: string }[]).map(({ id }) => id);
    expect(listed.slice(0, 2)).toEqual(['TT001', 'TT002']);
    expect(listed).toContain('TT111');
    expect(new Set(listed).size).toBe(listed.length);
    expect(await cli('doctor', 'TT999')).toBe(2);
    expect(mac.errors).toContain('TT999');
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
    expect(mac.out).toMatch(/✗ Proxy Is Proxy True\?\n +NotGood: not served\n +→ tuntapctl logs -n 50\n/);
  });

  test.each([
    ['Installed', true],
    ['NotManaged', false],
  ])('what Docker’s notice of a changed app means, with the shim %s: %s', async (reason, isTold) => {
    await daemon(madeUpStatus({ conditions: [{ ...condition('Shim'), reason }] }));
    await cli('doctor');
    expect(/about the integrity of its app.*shim restore/.test(mac.out)).toBe(isTold);
  });
});
