/** Docker and colima with VMs of the Virtualization framework in the lab: real VMs, with a NIC on macOS's bridge or none. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  appleSilicon,
  bridgesOf,
  colimaOf,
  restartDocker,
  setDocker,
  vmNic,
  type VmNic,
} from '../e2e/lib/vmnet.js';
import { bootMac, type Mac } from './lab.js';
import {
  answers,
  commandLines,
  dockerOf,
  engineAnswers,
  must,
  openDocker,
  quitDocker,
} from '../e2e/lib/vocabulary.js';
import { until } from '../lib/until.js';

jest.setTimeout(400_000);

let mac: Mac;
beforeAll(async () => {
  mac = await bootMac({ ...appleSilicon, engine: 'sid' });
}, 1_200_000);
afterAll(async () => {
  await mac.end();
}, 60_000);

const virtualization = '/Applications/Docker.app/Contents/MacOS/com.docker.virtualization';
const processOf = async (path: string): Promise<string | undefined> =>
  (await commandLines(mac)).find((line) => line.startsWith(path));

const noBridge = (): Promise<boolean> =>
  until('the bridge is gone', 20, async () => (await bridgesOf(mac)).length === 0);

/** Opens the VM's firewall for what comes by its NIC, and leads the Mac's packets there: what tuntapd is to do. */
async function reachByHand(
  nic: VmNic,
  network: string,
  name = 'eth1',
  docker = dockerOf(mac),
): Promise<void> {
  await docker.inVm(
    `iptables -t raw -I PREROUTING -i ${name} -j ACCEPT; iptables -I DOCKER-USER -i ${name} -j ACCEPT`,
  );
  await must(mac, ['/sbin/route', '-n', 'add', '-net', network, nic.address]);
}

describe('Docker by the Virtualization framework', () => {
  let nic: VmNic;

  test('with kernel networking for UDP the VM has a NIC on a bridge, and a container answers by it', async () => {
    await setDocker(mac, { KernelForUDP: true });
    await openDocker(mac);
    await engineAnswers(mac);
    expect(await processOf(virtualization)).toMatch(
      /com\.docker\.virtualization --kernel \S+ --cmdline init=\/initd .* eth0\.dhcp eth1\.dhcp .* --boot \S+\/desktop\.img --disk \S+ --networkType gvisor --cpus 10 .* --watchdog --kernel-for-udp --virtiofs \/Users .* --rosetta$/,
    );
    expect(await processOf('/Applications/Docker.app/Contents/MacOS/com.docker.backend')).toBeDefined();
    nic = await vmNic(mac);
    expect(nic.address).toBe('192.168.64.2');
    expect(await bridgesOf(mac)).toEqual(['bridge100']);
    const address = await dockerOf(mac).serve('web');
    await reachByHand(nic, '172.17.0.0/16');
    await answers(mac, 'web', address, 30);
    const short = nic.mac.replaceAll(/\b0([0-9a-f])/g, '$1');
    expect(await must(mac, ['/usr/sbin/arp', '-n', nic.address])).toBe(
      `? (${nic.address}) at ${short} on bridge100 ifscope [bridge]\n`,
    );
    expect(await must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet'])).toMatch(
      /^172\.17 +192\.168\.64\.2 +UGSc +bridge100/m,
    );
  });

  test('its network is renumbered while it runs: the guest follows', async () => {
    await mac.call('vmnet.renumber', { network: '192.168.66.0' });
    await until('another address', 60, async () => (await vmNic(mac)).address.startsWith('192.168.66.'));
    await mac.call('vmnet.renumber', { network: '192.168.64.0' });
    await until('the first network', 60, async () => (await vmNic(mac)).address.startsWith('192.168.64.'));
  });

  test('Docker restarted: another NIC with another address, on a new bridge', async () => {
    const before = await vmNic(mac);
    await restartDocker(mac);
    await engineAnswers(mac);
    const after = await vmNic(mac);
    expect(after.mac).not.toBe(before.mac);
    expect(after.address).not.toBe(before.address);
    expect(await must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet'])).not.toContain('172.17');
  });

  test('an edit of the settings while Docker runs is lost; one in between counts: no NIC, no bridge', async () => {
    await setDocker(mac, { KernelForUDP: false });
    await quitDocker(mac);
    await noBridge();
    const { stdout } = await mac.asUser([
      '/bin/sh',
      '-c',
      'cat "$HOME/Library/Group Containers/group.com.docker/settings-store.json"',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ KernelForUDP: true });
    await setDocker(mac, {});
    await openDocker(mac);
    await engineAnswers(mac);
    expect(await processOf(virtualization)).not.toContain('--kernel-for-udp');
    expect(await dockerOf(mac).inVm('ip -color=never -o link')).not.toContain('eth1');
    expect(await bridgesOf(mac)).toEqual([]);
    await quitDocker(mac);
  });

  test('Docker VMM is another process, whose VM has no NIC of the Mac’s', async () => {
    await setDocker(mac, { UseLibkrun: true, UseVirtualizationFramework: false, KernelForUDP: true });
    await openDocker(mac);
    await engineAnswers(mac);
    expect(await processOf('/Applications/Docker.app/Contents/MacOS/com.docker.sailor')).toBe(
      '/Applications/Docker.app/Contents/MacOS/com.docker.sailor',
    );
    expect(await processOf(virtualization)).toBeUndefined();
    expect(await bridgesOf(mac)).toEqual([]);
    await quitDocker(mac);
  });
});

test('colima with --network-address: limactl is the VM’s process, and its engine is reached by the context', async () => {
  await mac.call('colima.install');
  const colima = (...words: string[]) =>
    mac.asUser(['/opt/homebrew/bin/colima', ...words], { timeout: 300_000 });
  expect(await colima('start', '--network-address')).toMatchObject({ exitCode: 0 });
  expect(await processOf('/opt/homebrew/bin/limactl')).toBe(
    '/opt/homebrew/bin/limactl hostagent --pidfile /Users/person/.colima/_lima/colima/ha.pid --socket /Users/person/.colima/_lima/colima/ha.sock --guestagent /opt/homebrew/share/lima/lima-guestagent.Linux-x86_64.gz colima',
  );
  const read = async (path: string): Promise<unknown> =>
    JSON.parse((await mac.asUser(['/bin/sh', '-c', `cat ~/.docker/${path}`])).stdout);
  expect(await read('config.json')).toMatchObject({ currentContext: 'colima' });
  expect(await read('contexts/meta/*/meta.json')).toMatchObject({
    Name: 'colima',
    Endpoints: { docker: { Host: 'unix:///Users/person/.colima/default/docker.sock' } },
  });
  const docker = colimaOf(mac);
  const nic = await vmNic(mac, docker, 'col0');
  const address = await docker.serve('web');
  await reachByHand(nic, '172.17.0.0/16', 'col0', docker);
  await answers(mac, 'web', address, 30);
  expect(await colima('stop')).toMatchObject({ exitCode: 0 });
  await noBridge();
  expect(await read('config.json')).not.toHaveProperty('currentContext');
});
