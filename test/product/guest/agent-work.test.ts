/**
 * What is done in the VM by way of the agent, held against real iptables of both flavours in network and process
 * namespaces of its own, where a program called dockerd stands for the one that the VM has.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildSync } from 'esbuild';
import { capabilities } from '../../../daemon/guest/agent-container.js';

const mac = '02:74:75:6e:74:61';
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'helper-'));
  buildSync({
    entryPoints: [join(import.meta.dirname, 'driver.ts')],
    outfile: join(folder, 'driver.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  // Where nobody else's folder hides it: in a scene the VM has other programs than the agent's own root.
  copyFileSync(join(import.meta.dirname, '../../../daemon/guest/agent/amd64.agent'), join(folder, 'agent'));
  chmodSync(join(folder, 'agent'), 0o755);
  copyFileSync('/bin/sleep', join(folder, 'dockerd'));
  chmodSync(join(folder, 'dockerd'), 0o755);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a script in a VM of its own: eth1 with our MAC, a dockerd, `iptables` of that flavour; returns its output. */
function inVm(flavour: string, script: string): string {
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    ['--mount', '--net', '--pid', '--fork', '--mount-proc', '--kill-child', '/bin/sh', '-c', script, 'sh'],
    {
      encoding: 'utf8',
      timeout: 60_000,
      env: {
        PATH: `${folder}/${flavour}:/usr/sbin:/usr/bin:/sbin:/bin`,
        NODE: process.execPath,
        DRIVER: join(folder, 'driver.mjs'),
        FOLDER: folder,
        MAC: mac,
        DOCKERD: join(folder, 'dockerd'),
        // Root with the container's own capabilities.
        AGENT: `setpriv --no-new-privs --bounding-set -all,+${capabilities.join(',+').toLowerCase()} ${join(folder, 'agent')}`,
      },
    },
  );
  if (status !== 0) throw new Error(`ended with ${status ?? 'a signal'}: ${stderr}${stdout}`);
  return stdout;
}

const vm = `
mount -t sysfs sys /sys
ip link add eth1 address $MAC type veth peer name far
"$DOCKERD" 60 &
helper() { "$NODE" "$DRIVER" "$1" "$MAC" "\${2:-raw}"; }
# Until each of these processes has a network of its own, which \`unshare\` makes just before it runs them.
apart() { for pid; do until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done; done; }
iptables -N DOCKER-USER
iptables -A FORWARD -j DOCKER-USER
`;
/** Another dockerd than the first, to which the same namespaces are visible. */
const another =
  'sleep 0.1; unshare --mount sh -c \'mount --bind "$(mktemp -d)" /usr/sbin; exec "$DOCKERD" 60\' & sleep 0.3';
const rules = 'iptables -t raw -S PREROUTING; iptables -S DOCKER-USER; iptables -S FORWARD';
const ours = (chain: string): string => `-A ${chain} -i eth1 -m comment --comment tuntapd -j ACCEPT`;
/** As `ours`, by a NIC that is given: of all that are on its network the Mac alone is let in. */
const macs = (chain: string): string =>
  `-A ${chain} -s 192.168.64.1/32 -i eth1 -m comment --comment tuntapd -j ACCEPT`;
const lines = (output: string): string[] => output.split('\n').filter((line) => line.startsWith('-A'));

/**
 * A network of the Mac's that eth1 is on beside another host, and a container that nobody from outside is let in to, as
 * Engine 28 has it.
 */
const sharedNetwork = `
unshare --net sleep 60 & mac=$!; unshare --net sleep 60 & neighbour=$!; unshare --net sleep 60 & container=$!
apart $mac $neighbour $container
at() { where=$1; shift; nsenter --target $where --net -- sh -c "$*"; }
ip link set far netns $mac
ip link add vmenet1 netns $mac type veth peer name eth0 netns $neighbour
at $mac 'ip link add bridge100 type bridge; ip addr add 192.168.64.1/24 dev bridge100; ip link set bridge100 up
  for port in far vmenet1; do ip link set $port master bridge100 up; done; ip route add default via 192.168.64.2'
at $neighbour 'ip addr add 192.168.64.7/24 dev eth0; ip link set eth0 up; ip route add default via 192.168.64.2'
ip addr add 192.168.64.2/24 dev eth1; ip link set eth1 up
ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up
ip link add port type veth peer name eth0 netns $container; ip link set port master docker0 up
at $container 'ip addr add 172.17.0.2/16 dev eth0; ip link set eth0 up; ip route add default via 172.17.0.1'
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -t raw -A PREROUTING -d 172.17.0.2 ! -i docker0 -j DROP
iptables -P FORWARD DROP; iptables -A FORWARD -i docker0 -j ACCEPT
ask() { at $1 'busybox ping -c 1 -W 1 172.17.0.2 >/dev/null && echo "172.17.0.2 answers" || echo "172.17.0.2 is silent"'; }`;

describe.each(['nft', 'legacy'])('with iptables-%s', (flavour) => {
  beforeAll(() => {
    const bin = join(folder, flavour);
    spawnSync('mkdir', [bin]);
    writeFileSync(join(bin, 'iptables'), `#!/bin/sh\nexec /usr/sbin/iptables-${flavour} "$@"\n`, {
      mode: 0o755,
    });
  });

  test('address, MTU and one accept rule first in each chain, however often it runs', () => {
    const output = inVm(
      flavour,
      `${vm} iptables -t raw -A PREROUTING -d 172.17.0.2 -j DROP
       helper prepare; helper prepare; ip -o addr show eth1; ip link show eth1; ${rules}`,
    );
    expect(output).toMatch(/^interface=eth1$/m);
    expect(output).toMatch(/^rule=raw PREROUTING\nrule=filter DOCKER-USER$/m);
    expect(output).toContain('inet 10.0.75.2/30');
    expect(output).toContain('mtu 1400');
    expect(lines(output)).toEqual([
      ours('PREROUTING'),
      '-A PREROUTING -d 172.17.0.2/32 -j DROP',
      ours('DOCKER-USER'),
      '-A FORWARD -j DOCKER-USER',
    ]);
  });

  test('of a NIC with an address of its own everything is told, and only the firewall is changed', () => {
    const seen = 'ip -o addr show eth1; ip link show eth1 | grep -o "mtu [0-9]*"';
    const output = inVm(
      flavour,
      `${vm} ip addr add 192.168.64.2/24 dev eth1; ip link set eth1 up; ip link set far up
       ip addr add fda5:8591:e3fe:291f::2/64 dev eth1 nodad
       ip link add eth0 type veth peer name out; ip link set out up; ip link set eth0 up
       ip addr add 192.168.65.3/24 dev eth0
       ip route add default via 192.168.65.1 table 2
       sleep 2.5; ${seen}; echo; helper look; helper prepare given; echo; ${seen}; ${rules}
       echo; helper release given; ${seen}; ${rules}`,
    );
    const [before = '', told = '', prepared = '', released = ''] = output.split('\n\n');
    const nics = told
      .split('\n')
      .filter((line) => line.startsWith('nic='))
      .map((line) => JSON.parse(line.slice(4)) as Record<string, unknown>);
    expect(nics.find(({ name }) => name === 'eth1')).toEqual({
      name: 'eth1',
      mac,
      // A veth here; in a VM it is a card.
      isCard: false,
      hasDefaultRoute: false,
      addresses: [{ address: '192.168.64.2', prefix: 24 }],
      hasIpv6: true,
      ipv6: [{ address: 'fda5:8591:e3fe:291f::2', prefix: 64 }],
    });
    expect(nics.find(({ name }) => name === 'eth0')).toMatchObject({ hasDefaultRoute: true, hasIpv6: false });
    const shown = before.trim();
    expect(shown).toContain('inet 192.168.64.2/24');
    expect(prepared).toContain(shown);
    expect(lines(prepared)).toEqual([
      macs('PREROUTING'),
      '-A DOCKER-USER -i eth1 -o eth0 -m comment --comment tuntapd -j DROP',
      macs('DOCKER-USER'),
      '-A FORWARD -j DOCKER-USER',
    ]);
    expect(released).toContain(shown);
    expect(lines(released)).toEqual(['-A FORWARD -j DOCKER-USER']);
  });

  test('by a NIC that is given the Mac gets through to a container, and another host on the same network does not', () => {
    const output = inVm(
      flavour,
      `${vm} ${sharedNetwork}
       helper prepare given >/dev/null; ask $mac; ask $neighbour; helper release given; ask $mac; ask $neighbour
       iptables -t raw -F; iptables -P FORWARD ACCEPT; ask $neighbour`,
    );
    expect(output.split('\n').filter((line) => / is silent$| answers$/.test(line))).toEqual([
      '172.17.0.2 answers',
      '172.17.0.2 is silent',
      '172.17.0.2 is silent',
      '172.17.0.2 is silent',
      // At the end the neighbour's way is real: nothing but the firewall was in it.
      '172.17.0.2 answers',
    ]);
  });

  test('the rules for an earlier address of the Mac, and for any, give way to the one for its address now', () => {
    const output = inVm(
      flavour,
      `${vm} ip addr add 192.168.64.2/24 dev eth1; ip link set eth1 up
       for chain in 'raw PREROUTING' 'filter DOCKER-USER'; do
         set -- $chain
         iptables -t $1 -A $2 -s 192.168.66.1 -i eth1 -m comment --comment tuntapd -j ACCEPT
         iptables -t $1 -A $2 -i eth1 -m comment --comment tuntapd -j ACCEPT
         iptables -t $1 -A $2 -s 10.9.9.9 -j DROP
       done
       helper prepare given; helper prepare given; ${rules}; echo released
       iptables -A FORWARD -s 192.168.66.1 -i eth1 -m comment --comment tuntapd -j ACCEPT
       helper release given; ${rules}`,
    );
    const [prepared = '', released = ''] = output.split('released\n');
    const theirs = (chain: string): string => `-A ${chain} -s 10.9.9.9/32 -j DROP`;
    expect(lines(prepared)).toEqual([
      macs('PREROUTING'),
      theirs('PREROUTING'),
      macs('DOCKER-USER'),
      theirs('DOCKER-USER'),
      '-A FORWARD -j DOCKER-USER',
    ]);
    expect(lines(released)).toEqual([
      theirs('PREROUTING'),
      theirs('DOCKER-USER'),
      '-A FORWARD -j DOCKER-USER',
    ]);
  });

  test('a rule that something came before is first again, duplicates go, others stay', () => {
    const output = inVm(
      flavour,
      `${vm} helper prepare >/dev/null; helper prepare >/dev/null
       iptables -I DOCKER-USER -s 10.9.9.9 -j DROP
       iptables -A DOCKER-USER -i eth1 -m comment --comment tuntapd -j ACCEPT
       helper prepare; iptables -S DOCKER-USER`,
    );
    expect(lines(output)).toEqual([ours('DOCKER-USER'), '-A DOCKER-USER -s 10.9.9.9/32 -j DROP']);
  });

  test('without a DOCKER-USER chain the rule is in FORWARD, and none in raw where none is needed', () => {
    const output = inVm(
      flavour,
      `${vm} iptables -F; iptables -X DOCKER-USER; helper prepare plain; iptables -S; iptables -t raw -S`,
    );
    expect(lines(output)).toEqual([ours('FORWARD')]);
  });

  test('release leaves what was there before', () => {
    const output = inVm(
      flavour,
      `${vm} iptables -A DOCKER-USER -s 10.9.9.9 -j DROP; helper prepare >/dev/null
       iptables -A FORWARD -i eth1 -m comment --comment tuntapd -j ACCEPT
       helper release; ip -o addr show eth1; ${rules}`,
    );
    expect(output).not.toContain('10.0.75.2');
    expect(lines(output)).toEqual(['-A DOCKER-USER -s 10.9.9.9/32 -j DROP', '-A FORWARD -j DOCKER-USER']);
  });

  test('release takes the rules also when the NIC is gone', () => {
    const output = inVm(
      flavour,
      `${vm} helper prepare >/dev/null || exit; ip link delete eth1; helper release; ${rules}`,
    );
    expect(lines(output)).toEqual(['-A FORWARD -j DOCKER-USER']);
  });
});

test.each([
  ['NoTapNic', 'ip link delete eth1'],
  ['NoDockerd', 'kill $!; wait'],
  ['LinkCollision', 'ip addr add 10.0.75.9/24 dev far; ip link set far up'],
  ['LinkCollision', 'ip link set far up; ip route add 10.0.75.2/32 dev far'],
])('%s is a reason of its own', (reason, change) => {
  const output = inVm('nft', `${vm} ${change}; helper prepare || echo "ended with $?"`);
  expect(output).toContain(`reason=${reason}\n`);
  expect(output).toContain('ended with 1');
});

test('of several dockerds the first one counts: a later one is somebody’s container', () => {
  const output = inVm('nft', `${vm} ${another}; helper prepare; ${rules}`);
  expect(output).not.toContain('error=');
  expect(lines(output)).toContain(ours('DOCKER-USER'));
});

/**
 * A dockerd in a container of the VM (dind), which was there before the VM's own, with chains and an iptables of its
 * own. What that is asked for is written down.
 */
const dind = (namespaces: string): string => `
: >"$FOLDER/asked"
unshare --mount --cgroup --ipc --uts ${namespaces} --fork --kill-child sh -c '
  iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER
  PATH="$FOLDER/dind:$PATH" exec "$DOCKERD" 60' &
until inner=$(pgrep -P $!) && [ "$(cat /proc/$inner/comm)" = dockerd ]; do sleep 0.1; done
[ "$(readlink /proc/$inner/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] || exit 1
`;

describe.each([
  ['with all namespaces of its own', '--net --pid --mount-proc'],
  ['that sees the VM’s processes', '--net'],
  ['on the VM’s network', '--pid --mount-proc'],
])('a dockerd in a container, %s', (_what, namespaces) => {
  beforeAll(() => {
    mkdirSync(join(folder, 'dind'), { recursive: true });
    const script = `#!/bin/sh\necho "$@" >>${folder}/asked\nexec /usr/sbin/iptables-nft "$@"\n`;
    writeFileSync(join(folder, 'dind/iptables'), script, { mode: 0o755 });
  });
  const hasNetwork = namespaces.includes('--net');
  // Two would share their chains.
  const chains = hasNetwork ? vm : vm.replace(/^iptables .*$/gm, '');

  test('is left alone beside the VM’s own: nothing is set there, and its iptables is not asked', () => {
    const output = inVm(
      'nft',
      `${dind(namespaces)} ${chains} helper prepare; ${rules}; echo released; helper release; ${rules}
       echo inside; ${hasNetwork ? 'nsenter --target $inner --net -- sh -c "iptables-nft -S; iptables-nft -t raw -S; ip -o addr"' : ''}
       echo asked; cat "$FOLDER/asked"`,
    );
    expect(output).not.toContain('error=');
    const [prepared = '', released = '', inside = '', asked] = output.split(/^(?:released|inside|asked)\n/m);
    expect(lines(prepared)).toEqual([ours('PREROUTING'), ours('DOCKER-USER'), '-A FORWARD -j DOCKER-USER']);
    expect(lines(released)).toEqual(['-A FORWARD -j DOCKER-USER']);
    expect(lines(inside)).toEqual(hasNetwork ? ['-A FORWARD -j DOCKER-USER'] : []);
    expect(inside).not.toContain('10.0.75.2');
    expect(asked).toBe('');
  });

  test('is not taken for the VM’s own where that one is gone', () => {
    const output = inVm(
      'nft',
      `${dind(namespaces)} ${chains} kill $!; wait $!; helper prepare; helper release; ip -o addr show eth1; ${rules}
       echo asked; cat "$FOLDER/asked"`,
    );
    const [said = '', asked] = output.split('asked\n');
    expect(said.match(/^reason=NoDockerd$/gm)).toHaveLength(2);
    expect(said).not.toContain('inet 10.0.75.2');
    expect(lines(said)).toEqual(['-A FORWARD -j DOCKER-USER']);
    expect(asked).toBe('');
  });
});

test('the iptables that counts is the one that dockerd itself finds', () => {
  const output = inVm(
    'nft',
    `${vm.replace('"$DOCKERD" 60 &', 'PATH="$FOLDER/legacy:$PATH" "$DOCKERD" 60 &').replaceAll('iptables -', 'iptables-legacy -')}
     helper prepare; iptables-legacy -S DOCKER-USER; iptables-nft -S`,
  );
  expect(output).toContain('rule=filter DOCKER-USER');
  expect(lines(output)).toEqual([ours('DOCKER-USER')]);
});

test('what the VM itself has of the link’s network is named, and nothing is done there', () => {
  const output = inVm(
    'nft',
    `${vm} ip addr add 10.0.75.9/24 dev far; ip link set far up; helper prepare; ip -o addr show eth1; ${rules}`,
  );
  expect(output).toMatch(
    /^error=the VM itself has 10\.0\.75\.0\/24 dev far, which overlaps .* tap\.address and tap\.peer/m,
  );
  expect(output).not.toContain('inet 10.0.75.2');
  expect(lines(output)).toEqual(['-A FORWARD -j DOCKER-USER']);
});

const closed = (chain: string, way: string): string =>
  `-A ${chain} -i eth1 -o ${way} -m comment --comment tuntapd -j DROP`;
const wayOut =
  'ip addr add 192.168.65.3/24 dev far; ip link set far up; ip route add default via 192.168.65.1';

describe.each(['nft', 'legacy'])(
  'with iptables-%s the VM’s way out is closed to what comes by the tap',
  (flavour) => {
    test('before it is opened to anything else, once, however often it runs; release takes that back', () => {
      const output = inVm(
        flavour,
        `${vm} ${wayOut}; helper prepare; helper prepare; ${rules}; echo released; helper release; ${rules}`,
      );
      const [prepared = '', released = ''] = output.split('released\n');
      expect(lines(prepared)).toEqual([
        ours('PREROUTING'),
        closed('DOCKER-USER', 'far'),
        ours('DOCKER-USER'),
        '-A FORWARD -j DOCKER-USER',
      ]);
      expect(lines(released)).toEqual(['-A FORWARD -j DOCKER-USER']);
    });

    test.each([
      ['another rule came before them', 'iptables -I DOCKER-USER -s 10.9.9.9 -j DROP'],
      ['one of them is gone', 'iptables -D DOCKER-USER 1; iptables -A DOCKER-USER -s 10.9.9.9 -j DROP'],
      ['they changed places', 'iptables -I DOCKER-USER 2 -s 10.9.9.9 -j DROP'],
    ])('they are right again when %s', (_what, change) => {
      const output = inVm(
        flavour,
        `${vm} ${wayOut}; helper prepare >/dev/null; ${change}; helper prepare; iptables -S DOCKER-USER`,
      );
      expect(lines(output)).toEqual([
        closed('DOCKER-USER', 'far'),
        ours('DOCKER-USER'),
        '-A DOCKER-USER -s 10.9.9.9/32 -j DROP',
      ]);
    });

    test('the rule of an earlier version, and of a way out that is no more, give way to it', () => {
      const output = inVm(
        flavour,
        `${vm} iptables -A DOCKER-USER -i eth1 -m comment --comment tuntapd -j ACCEPT
       ip link add old type dummy; ip link set old up; ip route add default dev old
       helper prepare >/dev/null; ip link delete old; ${wayOut}; helper prepare; iptables -S DOCKER-USER`,
      );
      expect(lines(output)).toEqual([closed('DOCKER-USER', 'far'), ours('DOCKER-USER')]);
    });
  },
);

/** A Mac behind eth1, and what is sent out of the VM by its way out, where another one would hand it back to the Mac. */
const loop = `
unshare --net sleep 60 & outer=$!; unshare --net sleep 60 & mac=$!
apart $outer $mac
ip link add uplink type veth peer name vpnkit netns $outer
ip addr add 192.168.65.3/24 dev uplink; ip link set uplink up; ip route add default via 192.168.65.1
nsenter --target $outer --net -- sh -c 'ip addr add 192.168.65.1/24 dev vpnkit; ip link set vpnkit up; ip addr add 192.168.10.5/32 dev vpnkit; ip route add default via 192.168.65.3'
ip link set far netns $mac
nsenter --target $mac --net -- sh -c 'ip addr add 10.0.75.1/30 dev far; ip link set far up; ip route add default via 10.0.75.2'
echo 1 >/proc/sys/net/ipv4/ip_forward
ping() { nsenter --target $mac --net -- busybox ping -c 1 -W 1 "$1" >/dev/null && echo "$1 answers" || echo "$1 is silent"; }`;

test.each(['ACCEPT', 'DROP'])(
  'nothing from the Mac leaves the VM by its way out (policy %s), also for a network made later, and every bridge stays open',
  (policy) => {
    const output = inVm(
      'nft',
      `${vm} ${loop}
       iptables -P FORWARD ${policy}; iptables -A FORWARD -o eth1 -j ACCEPT
       helper prepare >/dev/null; ping 192.168.10.5
       for bridge in br0 cni0 docker0; do ip link add $bridge type bridge; ip link set $bridge up; done
       ip addr add 10.96.7.1/16 dev cni0
       unshare --net sleep 60 & pod=$!; apart $pod
       ip link add pods type veth peer name eth0 netns $pod; ip link set pods master cni0 up
       nsenter --target $pod --net -- sh -c 'ip addr add 10.96.7.8/16 dev eth0; ip link set eth0 up; ip route add default via 10.96.7.1'
       ping 10.96.7.8; ping 192.168.10.5; helper release; iptables -P FORWARD ACCEPT; ip addr add 10.0.75.2/30 dev eth1; ip link set eth1 up; ping 192.168.10.5`,
    );
    // At the end the loop is real: without our rules it is let out.
    expect(output.split('\n').filter((line) => / is silent$| answers$/.test(line))).toEqual([
      '192.168.10.5 is silent',
      '10.96.7.8 answers',
      '192.168.10.5 is silent',
      '192.168.10.5 answers',
    ]);
  },
);

test('a default route, and the link’s own network, are nobody else’s', () => {
  const output = inVm(
    'nft',
    `${vm} ip addr add 192.168.65.3/24 dev far; ip link set far up; ip route add default via 192.168.65.1
     helper prepare; helper prepare`,
  );
  expect(output.match(/^interface=eth1$/gm)).toHaveLength(2);
  expect(output).not.toContain('error=');
});

test('a Mac that asked for the VM too early hears of it', () => {
  const output = inVm(
    'nft',
    `${vm}
     unshare --net sleep 60 & peer=$!
     apart $peer
     peer() { nsenter --target $peer --net -- "$@"; }
     ip link set far netns $peer; peer ip addr add 10.0.75.1/30 dev far; peer ip link set far up
     # It does not ask again by itself.
     peer sh -c 'echo 60000 >/proc/sys/net/ipv4/neigh/far/retrans_time_ms'
     peer busybox ping -c 1 -W 1 10.0.75.2 >/dev/null; peer ip neigh show 10.0.75.2
     helper prepare; peer ip neigh show 10.0.75.2`,
  );
  const [before, after] = output.split('\n').filter((line) => line.startsWith('10.0.75.2 '));
  expect(before).toMatch(/INCOMPLETE|FAILED/);
  expect(after).toContain(`lladdr ${mac}`);
});
