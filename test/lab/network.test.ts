/** The Mac's network commands, held against what macOS's own sources and captures say of them. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { parseRoutingTable } from '../../daemon/mac/netstat.js';
import { bootMac } from './lab.js';
import { until } from '../lib/until.js';
import { call, type Held, hold } from './mac/rpc.js';
import { silent, typedOnOneMac } from './typed.js';

jest.setTimeout(60_000);

let vm: Held<unknown> | null = null;

const { mac, sh, socket } = typedOnOneMac();

/** Holds /dev/tap1 open, as hyperkit does for as long as its VM runs. */
async function openTap(): Promise<void> {
  vm = await hold('xnu.tap.open', { unit: 1, pid: 4711, uid: 501 }, socket());
}

async function closeTap(): Promise<void> {
  vm?.close();
  vm = null;
  const end = Date.now() + 5000;
  while ((await sh('/sbin/ifconfig tap1')).exitCode === 0 && Date.now() < end);
}

const table = async (): Promise<string> => (await sh('/usr/sbin/netstat -rn -f inet')).stdout;

/** The table's rows as `destination gateway flags interface`. */
const rows = async (): Promise<string[]> =>
  (await table())
    .split('\n')
    .slice(4)
    .filter((line) => line !== '')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '));

describe('ifconfig', () => {
  test.each([
    ['/sbin/ifconfig -l', { ...silent, stdout: 'lo0 en0\n' }],
    ['/sbin/ifconfig tap1', { ...silent, stderr: 'ifconfig: interface tap1 does not exist\n', exitCode: 1 }],
    [
      '/sbin/ifconfig en0 10.9.0.1/99',
      { ...silent, stderr: 'ifconfig: 10.9.0.1/99: bad value\n', exitCode: 1 },
    ],
    ['/sbin/ifconfig en0 upp', { ...silent, stderr: 'ifconfig: upp: bad value\n', exitCode: 1 }],
    [
      '/sbin/ifconfig en0 inet 10.9.0.1 netmask',
      { ...silent, stderr: "ifconfig: 'netmask' requires argument\n", exitCode: 1 },
    ],
    [
      '/sbin/ifconfig en0 inet 10.9.0.1 delete',
      { ...silent, stderr: "ifconfig: ioctl (SIOCDIFADDR): Can't assign requested address\n", exitCode: 1 },
    ],
    [
      '/sbin/ifconfig en0 mtu 60',
      { ...silent, stderr: 'ifconfig: ioctl (set mtu): Invalid argument\n', exitCode: 1 },
    ],
    [
      '/sbin/ifconfig lo0',
      {
        ...silent,
        stdout:
          'lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384\n\tinet 127.0.0.1 netmask 0xff000000 \n',
      },
    ],
  ])('%s', async (line, said) => {
    expect(await sh(line)).toEqual(said);
  });

  test('only root changes anything', async () => {
    const denied = await mac().asUser(['/sbin/ifconfig', 'en0', '10.9.0.1/24']);
    expect(denied).toEqual({
      ...silent,
      // The old address goes first.
      stderr: 'ifconfig: ioctl (SIOCDIFADDR): permission denied\n',
      exitCode: 1,
    });
    expect((await mac().asUser(['/sbin/ifconfig', 'en0', '10.9.0.1/24', 'alias'])).stderr).toBe(
      'ifconfig: ioctl (SIOCAIFADDR): permission denied\n',
    );
    expect((await mac().asUser(['/sbin/ifconfig', 'en0', 'down'])).stderr).toBe(
      'ifconfig: down: permission denied\n',
    );
  });

  test('a tap that is held open has an interface; with an address and up it looks as on a Mac', async () => {
    await openTap();
    const closed = (await sh('/sbin/ifconfig tap1')).stdout;
    expect(closed).toMatch(
      /^tap1: flags=8842<BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\tether [0-9a-f:]{17} \n\tmedia: autoselect\n\tstatus: active\n\topen \(pid 4711\)\n$/,
    );
    expect(await sh('/sbin/ifconfig tap1 10.0.75.1/30 up')).toEqual(silent);
    const ether = /ether (\S+)/.exec(closed)?.[1] ?? '';
    expect((await sh('/sbin/ifconfig tap1')).stdout).toBe(
      'tap1: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n' +
        `\tether ${ether} \n` +
        '\tinet 10.0.75.1 netmask 0xfffffffc broadcast 10.0.75.3\n' +
        '\tmedia: autoselect\n\tstatus: active\n\topen (pid 4711)\n',
    );
    await expect(call('xnu.tap.open', { unit: 1, pid: 4712, uid: 501 }, socket())).rejects.toMatchObject({
      code: 'EBUSY',
    });
    await closeTap();
    expect((await sh('/sbin/ifconfig tap1')).exitCode).toBe(1);
    await openTap();
    expect((await sh('/sbin/ifconfig tap1')).stdout).not.toContain(ether);
    await closeTap();
  });
});

describe('route and the kernel’s rules behind it', () => {
  beforeEach(async () => {
    await openTap();
  });
  afterEach(async () => {
    await closeTap();
  });

  const net = '172.17.0.0: gateway 10.0.75.2';
  const add = '/sbin/route -n add -net 172.17.0.0/16 10.0.75.2';

  test('packets go where the table says, also by a tap that has come anew', async () => {
    for (let life = 0; life < 2; life += 1) {
      await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
      await sh(add);
      expect((await sh('/.lab/bin/ip route get 172.17.0.2')).stdout).toContain('via 10.0.75.2 dev tap1');
      await closeTap();
      await openTap();
    }
  });

  test('add, exists, delete, absent: what the kernel refuses is printed on both streams and exits 0', async () => {
    await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
    expect(await sh(add)).toEqual({ ...silent, stdout: `add net ${net}\n` });
    expect(await rows()).toContain('172.17 10.0.75.2 UGSc tap1');
    expect(await sh('/sbin/route -n add -net 172.17.0.0/16 192.168.1.1')).toEqual({
      stdout: 'add net 172.17.0.0: gateway 192.168.1.1: File exists\n',
      stderr: 'route: writing to routing socket: File exists\n',
      exitCode: 0,
    });
    expect(await sh('/sbin/route -n delete -net 172.17.0.0/16 10.0.75.2')).toEqual({
      ...silent,
      stdout: `delete net ${net}\n`,
    });
    const absent = {
      stdout: `delete net ${net}: not in table\n`,
      stderr: 'route: writing to routing socket: not in table\n',
      exitCode: 0,
    };
    expect(await sh('/sbin/route -n delete -net 172.17.0.0/16 10.0.75.2')).toEqual(absent);
    expect(await sh('/sbin/route -n change -net 172.17.0.0/16 10.0.75.2')).toEqual({
      ...absent,
      stdout: `change net ${net}: not in table\n`,
    });
  });

  test('a gateway that is not on-link is bound to the default route’s interface, and looks like a success', async () => {
    expect(await sh(add)).toEqual({ ...silent, stdout: `add net ${net}\n` });
    expect(await rows()).toContain('172.17 10.0.75.2 UGSc en0');
    await sh('/sbin/route -n delete -net 172.17.0.0/16');
  });

  test('delete looks at the prefix alone: another gateway’s route is gone too', async () => {
    await sh('/sbin/route -n add -net 172.18.0.0/16 192.168.1.7');
    expect(await rows()).toContain('172.18 192.168.1.7 UGSc en0');
    await sh('/sbin/route -n delete -net 172.18.0.0/16 10.0.75.2');
    expect((await rows()).join('\n')).not.toContain('172.18');
  });

  test('setting the address again keeps static routes; down takes them, and up does not bring them back', async () => {
    await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
    await sh(add);
    await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
    expect(await rows()).toEqual(
      expect.arrayContaining(['10.0.75/30 link#3 UC tap1', '172.17 10.0.75.2 UGSc tap1'].map(ofTap)),
    );
    await sh('/sbin/ifconfig tap1 down');
    expect((await rows()).join('\n')).not.toContain('tap1');
    await sh('/sbin/ifconfig tap1 up');
    expect((await rows()).filter((row) => row.endsWith('tap1'))).toEqual([
      expect.stringMatching(/^10\.0\.75\/30 link#\d+ UC tap1$/),
    ]);
  });

  test.each([
    ['-net 10.9.0.0 -netmask 255.255.0.0 192.168.1.7', '10.9/16'],
    // Before the destination a mask is overridden by what that looks like.
    ['-net -netmask 255.255.255.0 10.9.0.0 192.168.1.7', '10.9/16'],
    ['-net 10.9.0.0 192.168.1.7 255.255.255.0', '10.9/24'],
    ['-net 10.9.1.1/16 192.168.1.7', '10.9/16'],
    ['-net 10.011.0.0/16 192.168.1.7', '10.9/16'],
  ])('add %s enters %s', async (words, entered) => {
    await sh(`/sbin/route -n add ${words}`);
    expect(await rows()).toContain(`${entered} 192.168.1.7 UGSc en0`);
    await sh(`/sbin/route -n delete ${words}`);
    expect((await rows()).join('\n')).not.toContain('10.9/');
  });

  test('monitor tells at once of routes and addresses, and only then of interfaces that came before', async () => {
    const monitor = mac().spawn(['/sbin/route', '-n', 'monitor']);
    let said = '';
    monitor.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    try {
      await until('it listens', 10, async () => {
        await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
        return said.includes('RTM_NEWADDR: ');
      });
      // The last of those messages may still be on its way; behind it comes this one.
      await sh('/sbin/route -n add -net 10.8.0.0/16 192.168.1.7');
      await until('all was told', 10, () => Promise.resolve(said.includes('RTM_ADD: ')));
      said = '';
      await closeTap();
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(said).toBe('');
      await sh('/sbin/route -n add -net 10.9.0.0/16 192.168.1.7');
      await until('the rest', 10, () => Promise.resolve(said.includes('RTM_ADD: ')));
      expect(said).toMatch(
        /^\ngot message of size \d+ on \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\nRTM_IFINFO: iface status change: /,
      );
    } finally {
      monitor.kill();
      await sh('/sbin/route -n delete -net 10.9.0.0/16');
      await sh('/sbin/route -n delete -net 10.8.0.0/16');
    }
  });

  /** The interface's index counts on with every one that is made. */
  const ofTap = (row: string): unknown =>
    expect.stringMatching(new RegExp(`^${row.replaceAll('.', '\\.').replace('link#3', 'link#\\d+')}$`));

  test('with the interface goes every route through it', async () => {
    await sh('/sbin/ifconfig tap1 10.0.75.1/30 up');
    await sh(add);
    await closeTap();
    expect((await rows()).join('\n')).not.toContain('tap1');
  });

  test.each([
    ['/sbin/route -n add -net 172.17.0.0/16 tap9', 68, 'route: bad address: tap9\n'],
    ['/sbin/route -n add -net 172.17.0.0/16 -interface tap9', 68, 'route: bad address: tap9\n'],
    ['/sbin/route -n add -net 172.17.0.0/16 -nonsense', 64, /^route: bad keyword: nonsense\nusage: route /],
    ['/sbin/route -n frobnicate', 64, /^route: bad keyword: frobnicate\nusage: route /],
    [
      '/sbin/route -n add -net 172.17.0.0 -netmask 255.0.255.0 10.0.75.2',
      68,
      'route: invalid mask: 255.0.255.0\n',
    ],
    ['/sbin/route -n add -net 172.17.0.0 -prefixlen 33 10.0.75.2', 1, '33: bad value\n'],
  ])('%s is refused', async (line, exitCode, stderr) => {
    const said = await sh(line);
    expect(said).toMatchObject({ stdout: '', exitCode });
    if (typeof stderr === 'string') expect(said.stderr).toBe(stderr);
    else expect(said.stderr).toMatch(stderr);
  });

  test('only root alters the table; anybody may ask it', async () => {
    expect(await mac().asUser(add.split(' '))).toEqual({
      ...silent,
      stderr: 'route: must be root to alter routing table\n',
      exitCode: 77,
    });
    expect((await mac().asUser(['/sbin/route', '-n', 'get', '8.8.8.8'])).stdout).toContain(
      '    gateway: 192.168.1.1\n  interface: en0\n',
    );
  });
});

describe('netstat', () => {
  const versions = [
    ['10.14.6', 'Destination        Gateway            Flags        Refs      Use   Netif Expire'],
    ['11.7.10', 'Destination        Gateway            Flags        Netif Expire'],
    ['13.6.9', 'Destination        Gateway            Flags           Netif Expire'],
    ['14.6.1', 'Destination        Gateway            Flags               Netif Expire'],
  ] as const;
  test.each(versions)(
    'of macOS %s has that version’s columns, and the daemon reads them',
    async (macos, header) => {
      const other = await bootMac({ macos });
      try {
        const { stdout, exitCode } = await other.run(['/usr/sbin/netstat', '-rn', '-f', 'inet']);
        expect(exitCode).toBe(0);
        const [title, blank, family, head, ...more] = stdout.split('\n');
        expect([title, blank, family, head]).toEqual(['Routing tables', '', 'Internet:', header]);
        const read = parseRoutingTable(stdout).map((row) => ({ ...row, destination: row.destination.text }));
        expect(more.filter((line) => line !== '')).toHaveLength(read.length);
        expect(read).toContainEqual(
          expect.objectContaining({ destination: '192.168.1.0/24', interface: 'en0' }),
        );
        // What is routed to the internet says so from macOS 11 on.
        expect(read).toContainEqual(
          expect.objectContaining({
            destination: '0.0.0.0/0',
            flags: macos.startsWith('10.') ? 'UGSc' : 'UGScg',
          }),
        );
        expect(more.find((line) => line.startsWith('169.254 '))).toMatch(/ UCS +.* en0 +!$/);
      } finally {
        await other.end();
      }
    },
  );

  test('knows the options the daemon uses, and says how it is used to anything else', async () => {
    expect(await sh('/usr/sbin/netstat --route')).toMatchObject({ stdout: '', exitCode: 1 });
  });
});

describe('kextload', () => {
  const kext = '/Library/Extensions/tap.kext';
  const executing = `Executing: /usr/bin/kmutil load -p ${kext}\n`;

  test('loads an installed kext: sixteen devices, root’s alone', async () => {
    const other = await bootMac({ kext: 'installed' });
    try {
      expect((await other.run(['/bin/ls', '/dev/tap1'])).exitCode).not.toBe(0);
      expect(await other.run(['/sbin/kextload', kext])).toEqual({ ...silent, stderr: executing });
      const { stdout } = await other.run(['/bin/sh', '-c', 'ls -ln /dev/tap*']);
      const devices = stdout.split('\n').filter((line) => line !== '');
      expect(devices).toHaveLength(16);
      for (const line of devices) expect(line).toMatch(/^crw-rw---- .* 0 +0 /);
    } finally {
      await other.end();
    }
  });

  test.each([
    [
      '10.15.7',
      `${kext} failed to load - (libkern/kext) system policy prevents loading; check the system/kernel logs for errors or try kextutil(8).\n`,
      10,
      /^\S+ failed to load - \(libkern\/kext\) not found; /,
    ],
    [
      '13.6',
      `${executing}Error Domain=KMErrorDomain Code=27 "Extension with identifiers net.sf.tuntaposx.tap not approved to load. Please approve using System Settings."\n`,
      28,
      /^Executing: .*\nError Domain=KMErrorDomain /,
    ],
  ] as const)(
    'on macOS %s policy’s refusal exits 27, an absent one is not found',
    async (macos, policy, status, absent) => {
      const refused = await bootMac({ kext: 'refused', macos });
      try {
        expect(await refused.run(['/sbin/kextload', kext])).toEqual({
          ...silent,
          stderr: policy,
          exitCode: 27,
        });
        const none = await refused.run(['/sbin/kextload', '/Library/Extensions/no.kext']);
        expect(none).toMatchObject({ stdout: '', exitCode: status });
        expect(none.stderr).toMatch(absent);
      } finally {
        await refused.end();
      }
    },
  );

  test('is root’s', async () => {
    expect(await mac().asUser(['/sbin/kextload', kext])).toEqual({
      ...silent,
      stderr: 'You must be running as root to load kexts.\n',
      exitCode: 77,
    });
  });
});
