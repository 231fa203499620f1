/** macOS's bridges for VMs in the lab: what its commands say of them, and what a guest gets there. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { bridgesIn } from '../../daemon/mac/bridges.js';
import { call, type Held, hold } from './mac/rpc.js';
import type { Nic } from './mac/vmnet.js';
import { until } from '../lib/until.js';
import { silent, typedOnOneMac } from './typed.js';

jest.setTimeout(60_000);

const held = new Set<Held<Nic>>();

const { mac, sh, said, socket } = typedOnOneMac({ macos: '14.6.1' });

/** A VM of the Virtualization framework's, as far as macOS sees one. */
async function startVm(): Promise<Held<Nic>> {
  const nic = await hold<Nic>('vmnet.attach', { uid: 501 }, socket());
  held.add(nic);
  return nic;
}

async function endVm(nic: Held<Nic>): Promise<void> {
  held.delete(nic);
  nic.close();
  await until('its NIC is gone', 5, async () => !(await said('/sbin/ifconfig -l')).includes(nic.value.name));
}

const rows = async (): Promise<string[]> =>
  (await said('/usr/sbin/netstat -rn -f inet'))
    .split('\n')
    .slice(4)
    .filter((line) => line !== '')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '));

/**
 * Runs a shell in a guest on `bridge`: a network namespace whose only link, `nic`, leads there. `$dhcp` asks for an
 * address until there is one or three tries have had no answer, and `$own` says which addresses it has.
 */
async function inGuest(bridge: string, macAddress: string, script: string): Promise<string> {
  const { stdout } = await promisify(execFile)('nsenter', [
    ...['--target', String(mac().pid), '--net', '--', 'bash', '-euc'],
    `unshare --net sleep 50 & pid=$!
     trap 'kill $pid; rm -f /tmp/dhcp-$pid' EXIT
     until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
     ip link add guest$pid address ${macAddress} type veth peer name port$pid
     ip link set port$pid master ${bridge} up
     ip link set guest$pid name nic netns $pid
     printf '#!/bin/sh\\n[ $1 != bound ] || ip address add $ip/$mask dev $interface\\n' >/tmp/dhcp-$pid
     chmod 755 /tmp/dhcp-$pid
     export dhcp="busybox udhcpc -i nic -n -q -t 10 -T 1 -s /tmp/dhcp-$pid"
     export own='ip -o address show dev nic scope global'
     nsenter --target $pid --net sh -c 'ip link set nic up; ${script}'`,
  ]);
  return stdout;
}

const firstMac = '5a:94:ef:04:0b:12';
const leased = async (bridge: string, macAddress: string): Promise<string | undefined> =>
  /inet (\S+)/.exec(await inGuest(bridge, macAddress, '$dhcp >/dev/null 2>&1; $own'))?.[1];

afterEach(async () => {
  await call('vmnet.set', { network: '192.168.64.0', bootpd: 'answers', staysAfter: false }, socket());
  await call('vmnet.other-ends', {}, socket());
  for (const nic of held) await endVm(nic);
});

describe('a bridge', () => {
  test('comes with the first VM and goes with the last; all VMs share it', async () => {
    const one = await startVm();
    const other = await startVm();
    expect([one.value, other.value]).toEqual([
      { name: 'vmenet0', bridge: 'bridge100' },
      { name: 'vmenet1', bridge: 'bridge100' },
    ]);
    expect(await said('/sbin/ifconfig -l')).toBe('lo0 en0 vmenet0 bridge100 vmenet1\n');
    expect(await said('/bin/ps -axww -o args=')).not.toContain('dnsmasq');
    await endVm(one);
    expect(await said('/sbin/ifconfig -l')).toBe('lo0 en0 bridge100 vmenet1\n');
    await endVm(other);
    expect(await said('/sbin/ifconfig -l')).toBe('lo0 en0\n');
    expect((await rows()).join('\n')).not.toContain('bridge');
    expect(await said('/.lab/bin/ip -brief link')).not.toMatch(/bridge|vmenet/);
    expect((await sh('/sbin/ifconfig bridge100')).stderr).toBe(
      'ifconfig: interface bridge100 does not exist\n',
    );
  });

  test('is told by ifconfig as macOS tells it', async () => {
    await startVm();
    const hex = '[0-9a-f:]+';
    expect(await said('/sbin/ifconfig bridge100')).toMatch(
      new RegExp(
        `^${[
          String.raw`bridge100: flags=8a63<UP,BROADCAST,SMART,RUNNING,ALLMULTI,SIMPLEX,MULTICAST> mtu 1500`,
          String.raw`\toptions=63<RXCSUM,TXCSUM,TSO4,TSO6>`,
          String.raw`\tether ${hex}`,
          String.raw`\tinet 192\.168\.64\.1 netmask 0xffffff00 broadcast 192\.168\.64\.255`,
          String.raw`\tinet6 fe80::${hex}%bridge100 prefixlen 64 scopeid 0x${hex} `,
          String.raw`\tinet6 fd${hex} prefixlen 64 autoconf secured `,
          String.raw`\tConfiguration:`,
          String.raw`\t\tid 0:0:0:0:0:0 priority 0 hellotime 0 fwddelay 0`,
          String.raw`\t\tmaxage 0 holdcnt 0 proto stp maxaddr 100 timeout 1200`,
          String.raw`\t\troot id 0:0:0:0:0:0 priority 0 ifcost 0 port 0`,
          String.raw`\t\tipfilter disabled flags 0x0`,
          String.raw`\tmember: vmenet0 flags=10803<LEARNING,DISCOVER,PRIVATE,CSUM>`,
          String.raw`\t        ifmaxaddr 0 port \d+ priority 0 path cost 0`,
          String.raw`\tnd6 options=201<PERFORMNUD,DAD>`,
          String.raw`\tmedia: autoselect`,
          String.raw`\tstatus: active`,
        ].join('\n')}\n$`,
      ),
    );
    expect(await said('/sbin/ifconfig vmenet0')).toMatch(
      /^vmenet0: flags=8963<UP,BROADCAST,SMART,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1500\n\toptions=60<TSO4,TSO6>\n\tether [0-9a-f:]+\n\tmedia: autoselect\n\tstatus: active\n$/,
    );
    const whole = await said('/sbin/ifconfig -a');
    for (const name of ['lo0', 'en0', 'vmenet0', 'bridge100'])
      expect(whole).toContain(await said(`/sbin/ifconfig ${name}`));
  });

  test('has a scoped default route, which nobody else takes', async () => {
    await startVm();
    expect(await rows()).toEqual(
      expect.arrayContaining([
        'default 192.168.1.1 UGScg en0',
        expect.stringMatching(/^default link#\d+ UCSIg bridge100 !$/),
        expect.stringMatching(/^192\.168\.64 link#\d+ UC bridge100 !$/),
      ]),
    );
    expect(await said('/sbin/route -n get 8.8.8.8')).toContain('interface: en0');
    expect(await said('/sbin/route -n get 192.168.64.2')).toContain('interface: bridge100');
    // It is not the one that `route` speaks of.
    await sh('/sbin/route -n delete default');
    expect((await rows()).filter((row) => row.startsWith('default'))).toEqual([
      expect.stringMatching(/^default link#\d+ UCSIg bridge100 !$/),
    ]);
    await sh('/sbin/route -n add default 192.168.1.1');
  });

  test('takes the next number when another app has the first', async () => {
    expect(await call('vmnet.other', { network: '198.19.249.0' }, socket())).toEqual({
      name: 'vmenet0',
      bridge: 'bridge100',
    });
    expect((await startVm()).value).toEqual({ name: 'vmenet1', bridge: 'bridge101' });
    expect(await said('/sbin/ifconfig bridge100')).toContain('inet 198.19.249.1 netmask 0xffffff00');
    expect(await said('/sbin/ifconfig bridge101')).toMatch(/inet 192\.168\.64\.1 [^]*member: vmenet1 /);
  });

  test('may have the same network as another app’s', async () => {
    await call('vmnet.other', { network: '192.168.64.0' }, socket());
    await startVm();
    for (const name of ['bridge100', 'bridge101'])
      expect(await said(`/sbin/ifconfig ${name}`)).toContain('inet 192.168.64.1 netmask 0xffffff00');
    // The kernel keeps one row of a prefix.
    expect((await rows()).filter((row) => row.startsWith('192.168.64 '))).toEqual([
      expect.stringMatching(/ bridge100 !$/),
    ]);
  });

  test('of Internet Sharing takes a number too, and is none of a VM’s', async () => {
    await call('vmnet.internet-sharing', {}, socket());
    const { value } = await startVm();
    expect(value.bridge).toBe('bridge101');
    expect(await said('/sbin/ifconfig bridge100')).toMatch(
      /\tinet 192\.168\.2\.1 netmask 0xffffff00 [^]*\n\tmember: en5 flags=3<LEARNING,DISCOVER>\n/,
    );
    expect(bridgesIn(await said('/sbin/ifconfig -a')).map(({ name }) => name)).toEqual(['bridge101']);
    await call('vmnet.other-ends', {}, socket());
    expect(await said('/sbin/ifconfig -l')).toBe('lo0 en0 vmenet0 bridge101\n');
  });

  test('may stay when its VM has ended, until the Mac is booted anew', async () => {
    await call('vmnet.set', { staysAfter: true }, socket());
    await endVm(await startVm());
    expect(await said('/sbin/ifconfig bridge100')).toMatch(/inet 192\.168\.64\.1 [^]*status: inactive\n$/);
    const again = await startVm();
    expect(again.value.bridge).toBe('bridge100');
    await endVm(again);
    await mac().reboot();
    await mac().login('person');
    expect(await said('/sbin/ifconfig -l')).toBe('lo0 en0\n');
    expect(await said('/.lab/bin/ip -brief link')).not.toMatch(/bridge|vmenet/);
  });
});

describe('a guest', () => {
  test('gets an address by DHCP, one of another MAC the next, and answers the Mac', async () => {
    const { value } = await startVm();
    const answered = inGuest(value.bridge, firstMac, '$dhcp >/dev/null 2>&1; $own; sleep 10');
    await until('the guest answers', 10, async () => {
      return (await sh('/usr/bin/busybox ping -c 1 -W 1 192.168.64.2')).exitCode === 0;
    });
    expect(await sh('/usr/sbin/arp -n 192.168.64.2')).toEqual({
      ...silent,
      stdout: '? (192.168.64.2) at 5a:94:ef:4:b:12 on bridge100 ifscope [bridge]\n',
    });
    expect((await rows()).find((row) => row.startsWith('192.168.64.2 '))).toMatch(
      /^192\.168\.64\.2 5a\.94\.ef\.4\.b\.12 UHLWIi bridge100 1\d\d\d$/,
    );
    expect(await answered).toContain('inet 192.168.64.2/24');
    expect(await leased(value.bridge, '5a:94:ef:04:0b:13')).toBe('192.168.64.3/24');
    expect(await leased(value.bridge, firstMac)).toBe('192.168.64.2/24');
  });

  test('has IPv6 alone where bootpd is blocked, and IPv4 once it is not', async () => {
    await call('vmnet.set', { bootpd: 'blocked' }, socket());
    const { value } = await startVm();
    const own = await inGuest(value.bridge, firstMac, '$dhcp >/dev/null 2>&1; sleep 4; $own');
    expect(own).toMatch(/inet6 fd[0-9a-f:]+\/64 scope global/);
    expect(own).not.toContain('inet 192');
    expect(await said('/sbin/ifconfig bridge100')).toContain('inet 192.168.64.1 ');
    await call('vmnet.set', { bootpd: 'answers' }, socket());
    expect(await leased(value.bridge, firstMac)).toMatch(/^192\.168\.64\.\d+\/24$/);
  });

  test('is in another network when macOS has renumbered it, for the next VM or at once', async () => {
    await call('vmnet.set', { network: '192.168.65.0' }, socket());
    const nic = await startVm();
    expect(await leased(nic.value.bridge, firstMac)).toMatch(/^192\.168\.65\.\d+\/24$/);
    let told = '';
    nic.onLine((line) => (told += String(line)));
    await call('vmnet.renumber', { network: '192.168.66.0' }, socket());
    expect(await said('/sbin/ifconfig bridge100')).toContain('inet 192.168.66.1 ');
    expect((await rows()).join('\n')).not.toContain('192.168.65');
    expect(await leased(nic.value.bridge, firstMac)).toMatch(/^192\.168\.66\.\d+\/24$/);
    await until('its process is told', 5, () => Promise.resolve(told === 'link'));
  });
});

describe('arp', () => {
  const usage = /^usage: arp \[-n\] \[-i interface\] hostname\n/;
  test('shows the Mac’s own addresses, and whom it asks in vain', async () => {
    await startVm();
    await sh('/usr/bin/busybox ping -c 1 -W 1 192.168.64.77');
    expect(await sh('/usr/sbin/arp -n 192.168.64.77')).toEqual({
      ...silent,
      stdout: '? (192.168.64.77) at (incomplete) on bridge100 ifscope [bridge]\n',
    });
    const all = await said('/usr/sbin/arp -an');
    expect(all).toMatch(/^\? \(192\.168\.1\.20\) at \S+ on en0 ifscope permanent \[ethernet\]$/m);
    expect(all).toMatch(/^\? \(192\.168\.64\.1\) at \S+ on bridge100 ifscope permanent \[bridge\]$/m);
    const own = /ether (\S+)/.exec(await said('/sbin/ifconfig bridge100'))?.[1] ?? '';
    expect(all).toContain(`at ${own.replaceAll(/\b0([0-9a-f])/g, '$1')} on bridge100 ifscope permanent`);
    expect(await said('/usr/sbin/arp -an -i en0')).not.toContain('bridge100');
  });

  test.each([
    ['-n 192.168.64.88', 1, '192.168.64.88 (192.168.64.88) -- no entry\n', ''],
    ['-n -i en0 192.168.64.88', 1, '192.168.64.88 (192.168.64.88) -- no entry on en0\n', ''],
    ['-n -i bridge7 10.0.0.1', 1, '', 'arp: interface bridge7 does not exist\n'],
    ['-n nobody', 1, '', 'arp: nobody: Unknown host\n'],
    ['-n', 1, '', usage],
    ['-an 10.0.0.1', 1, '', usage],
    ['-n 10.0.0.1 10.0.0.2', 1, '', usage],
    ['-e', 1, '', /^arp: illegal option -- e\nusage: arp /],
    ['-n -i', 1, '', /^arp: option requires an argument -- i\nusage: arp /],
  ] as const)('%s', async (words, exitCode, stdout, stderr) => {
    const answer = await sh(`/usr/sbin/arp ${words}`);
    expect(answer).toMatchObject({ stdout, exitCode });
    if (typeof stderr === 'string') expect(answer.stderr).toBe(stderr);
    else expect(answer.stderr).toMatch(stderr);
  });
});
