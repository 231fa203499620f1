/** The agent of the VM, as it lies in the repository, for both processors: on a kernel, in namespaces of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Conversation, converse } from '../../../daemon/guest/agent/conversation.js';
import { requests } from '../../../daemon/guest/agent/frames.js';
import { arpRequest } from '../../../daemon/guest/arp.js';
import {
  acknowledged,
  ask,
  type GuestInterface,
  readAddresses,
  readLinks,
  readRoutes,
  routeProtocol,
} from '../../../daemon/guest/netlink.js';
import { until } from '../../lib/until.js';

const folder = join(import.meta.dirname, '../../../daemon/guest/agent');
const environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'];
const children: ChildProcess[] = [];
/** Those that nobody talks to any more, beside all other tests. */
const silent: ChildProcess[] = [];

/** A namespace of the network with a veth pair, and the agent in it, which ends with the test unless it is `kept`. */
function startAgent(
  command: readonly string[],
  kept = false,
): { child: ChildProcess; ended: Promise<number | null> } {
  const child = spawn(
    'unshare',
    ['--net', '--', 'sh', '-c', 'ip link add nic0 type veth peer name nic1; exec "$@"', 'sh', ...command],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  (kept ? silent : children).push(child);
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended };
}

function talk(child: ChildProcess, signal = AbortSignal.timeout(20_000)): Conversation {
  if (!child.stdin || !child.stdout) throw new Error('no pipes');
  return converse(Duplex.from({ writable: child.stdin, readable: child.stdout }), { signal });
}

async function endAll(list: ChildProcess[]): Promise<void> {
  for (const child of list.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}
afterEach(() => endAll(children));
afterAll(() => endAll(silent));

const processors: readonly (readonly [string, readonly string[]])[] = [
  ['amd64', [join(folder, 'amd64.agent')]],
  ['arm64', ['qemu-aarch64', join(folder, 'arm64.agent')]],
];

const isAlive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries === 100) throw new Error('it never came true');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How an agent ended that was left alone, and after how many ms. */
interface Silence {
  readonly status: number | null;
  readonly after: number;
}
const silences = new Map<string, Promise<Silence>>();

/** What leaves an agent alone, each in its own way, with its stdin and stdout open. */
const leavings: readonly (readonly [string, number, (child: ChildProcess) => Promise<void> | void])[] = [
  ['nobody ever speaks', 3, () => undefined],
  [
    'nobody asks for more',
    3,
    async (child) => {
      expect((await talk(child, new AbortController().signal).read('/proc')).kind).toBe('folder');
    },
  ],
  ['a request stays half said', 3, (child) => void child.stdin?.write(Buffer.from([0, 0, 0, 9, 0x52]))],
  [
    'nobody takes its answers',
    5,
    (child) => {
      child.stdout?.pause();
      child.stdin?.write(Buffer.concat(Array<Buffer>(2000).fill(requests.read('/proc'))));
    },
  ],
];

// They take a minute, in which everything else is tested.
beforeAll(async () => {
  for (const [processor, command] of processors)
    for (const [what, , leave] of leavings) {
      const { child } = startAgent(command, true);
      await leave(child);
      const began = performance.now();
      const silence = new Promise<Silence>((resolve) =>
        // Not `close`: what nobody reads is never closed.
        child.once('exit', (status) => {
          resolve({ status, after: performance.now() - began });
        }),
      );
      silences.set(`${processor}, ${what}`, silence);
    }
});

it('its hashes are those that are written beside it', () => {
  for (const line of readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n')) {
    const [sum, name = ''] = line.split('  ');
    expect(
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ).toBe(sum);
  }
});

describe.each(processors)('the agent for %s', (_name, command) => {
  const begin = (): { agent: Conversation; child: ChildProcess; ended: Promise<number | null> } => {
    const { child, ended } = startAgent(command);
    return { agent: talk(child), child, ended };
  };
  const nicOf = async (agent: Conversation, wanted: string): Promise<GuestInterface> => {
    const found = readLinks(await agent.netlink(routeProtocol, ask.links())).find(
      ({ name }) => name === wanted,
    );
    if (!found) throw new Error(`no ${wanted}`);
    return found;
  };

  describe('netlink', () => {
    it('finds interfaces, brings one up with an MTU, gives it addresses of both families and takes them away', async () => {
      const { agent } = begin();
      const before = await nicOf(agent, 'nic0');
      expect(before.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      expect(before).toMatchObject({ up: false, mtu: 1500 });
      acknowledged(await agent.netlink(routeProtocol, ask.bringUp(before.index, 1380)));
      expect(await nicOf(agent, 'nic0')).toMatchObject({ up: true, mtu: 1380 });

      const four = { index: before.index, address: '10.0.75.2', prefix: 30 };
      const six = { index: before.index, address: 'fd00:75::2', prefix: 126 };
      for (const address of [four, four, six])
        acknowledged(await agent.netlink(routeProtocol, ask.addAddress(address)));
      expect(readAddresses(await agent.netlink(routeProtocol, ask.addresses(4)))).toEqual([four]);
      expect(readAddresses(await agent.netlink(routeProtocol, ask.addresses(6)))).toContainEqual(six);
      expect(readRoutes(await agent.netlink(routeProtocol, ask.routes(4)))).toEqual([
        { isMain: true, address: '10.0.75.0', prefix: 30, index: before.index },
      ]);

      for (const address of [four, six])
        acknowledged(await agent.netlink(routeProtocol, ask.removeAddress(address)));
      expect(readAddresses(await agent.netlink(routeProtocol, ask.addresses(4)))).toEqual([]);
      acknowledged(await agent.netlink(routeProtocol, ask.takeDown(before.index)));
      expect(await nicOf(agent, 'nic0')).toMatchObject({ up: false });
    });

    it('passes on what the kernel refuses', async () => {
      const { agent } = begin();
      const answer = await agent.netlink(
        routeProtocol,
        ask.addAddress({ index: 999, address: '10.0.75.2', prefix: 30 }),
      );
      expect(() => {
        acknowledged(answer);
      }).toThrow('ENODEV');
    });

    it('refuses what is no message, and gives up a message that nobody acknowledges', async () => {
      const { agent } = begin();
      await expect(agent.netlink(routeProtocol, Buffer.alloc(3))).rejects.toMatchObject({ code: 'EINVAL' });
      const silent = Buffer.from(ask.bringUp(1, 1500));
      // NLM_F_REQUEST alone.
      silent.writeUInt16LE(1, 6);
      await expect(agent.netlink(routeProtocol, silent)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
      expect(await nicOf(agent, 'nic0')).toMatchObject({ name: 'nic0' });
    });

    it('passes on a long dump whole', async () => {
      const { agent, child } = begin();
      const { index } = await nicOf(agent, 'nic0');
      acknowledged(await agent.netlink(routeProtocol, ask.bringUp(index, 1500)));
      const wanted = Array.from({ length: 600 }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
      for (const address of wanted)
        acknowledged(await agent.netlink(routeProtocol, ask.addAddress({ index, address, prefix: 32 })));
      const found = readAddresses(await agent.netlink(routeProtocol, ask.addresses(4)));
      expect(found.map(({ address }) => address).toSorted()).toEqual(wanted.toSorted());
      expect(child.exitCode).toBeNull();
    });
  });

  describe('a command', () => {
    it('runs in the mount namespace of the process, with its own words and environment', async () => {
      const other = spawn(
        'unshare',
        [
          '--mount',
          'sh',
          '-c',
          'mount -t tmpfs none /mnt && echo "of the other" >/mnt/word && echo ready && exec sleep 60',
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      children.push(other);
      await new Promise((resolve) => other.stdout.once('data', resolve));
      const { agent } = begin();
      const ran = await agent.run(
        other.pid ?? 0,
        ['/bin/sh', '-c', 'cat /mnt/word; pwd; echo "$0 $WORD" >&2; exit 3', 'a "word"'],
        { environment: [...environment, 'WORD=éß'], timeout: 5000 },
      );
      expect(ran).toEqual({ stdout: 'of the other\n/\n', stderr: 'a "word" éß\n', exitCode: 3 });
      other.kill('SIGKILL');
    });

    it('says what it wrote also when it reads from stdin, closes its output, or is ended by a signal', async () => {
      const { agent } = begin();
      const run = (script: string) =>
        agent.run(process.pid, ['/bin/sh', '-c', script], { environment, timeout: 5000 });
      expect(await run('cat; echo done')).toEqual({ stdout: 'done\n', stderr: '', exitCode: 0 });
      expect(await run('echo said; exec >&- 2>&-; sleep 0.3; exit 4')).toEqual({
        stdout: 'said\n',
        stderr: '',
        exitCode: 4,
      });
      expect(await run('kill -TERM $$')).toEqual({ stdout: '', stderr: '', exitCode: null });
    });

    it('that is not there, or no program, is told by the kernel’s name for it', async () => {
      const { agent } = begin();
      const run = (file: string) => agent.run(process.pid, [file], { environment: [], timeout: 5000 });
      await expect(run('/no/such/iptables')).rejects.toMatchObject({ code: 'ENOENT', what: 'exec' });
      await expect(run('/etc/passwd')).rejects.toMatchObject({ code: 'EACCES', what: 'exec' });
      await expect(
        agent.run(4_000_000, ['/bin/true'], { environment: [], timeout: 5000 }),
      ).rejects.toMatchObject({ code: 'ENOENT', what: 'open ns/mnt' });
    });

    it('that hangs is ended with all that it started, and the agent goes on', async () => {
      const { agent } = begin();
      const script = 'sleep 61 & echo $!; wait';
      await expect(
        agent.run(process.pid, ['/bin/sh', '-c', script], { environment, timeout: 400 }),
      ).rejects.toMatchObject({ code: 'ETIMEDOUT' });
      await until('nothing of it is left', 10, () =>
        Promise.resolve(execFileSync('sh', ['-c', 'pgrep -f "^sleep 61$" || true']).toString().trim() === ''),
      );
      expect((await agent.run(process.pid, ['/bin/true'], { environment, timeout: 5000 })).exitCode).toBe(0);
    });

    it('that leaves somebody behind with its output is not waited for', async () => {
      const { agent } = begin();
      const began = performance.now();
      const ran = await agent.run(process.pid, ['/bin/sh', '-c', 'sleep 62 & echo started'], {
        environment,
        timeout: 8000,
      });
      expect(ran).toEqual({ stdout: 'started\n', stderr: '', exitCode: 0 });
      expect(performance.now() - began).toBeLessThan(7000);
    });

    it('that says too much is ended', async () => {
      const { agent } = begin();
      await expect(
        agent.run(process.pid, ['/bin/sh', '-c', 'exec yes'], { environment, timeout: 15_000 }),
      ).rejects.toMatchObject({ code: 'EFBIG' });
      expect((await agent.run(process.pid, ['/bin/true'], { environment, timeout: 5000 })).exitCode).toBe(0);
    });

    it('ends with the agent when nobody is there any more', async () => {
      const { agent, child, ended } = begin();
      await nicOf(agent, 'nic0');
      const ran = agent.run(process.pid, ['/bin/sleep', '63'], { environment, timeout: 30_000 });
      ran.catch(() => undefined);
      const sleeper = (): string =>
        execFileSync('sh', ['-c', 'pgrep -f "^/bin/sleep 63$" || true']).toString().trim();
      await eventually(() => sleeper() !== '');
      const pid = Number(sleeper());
      child.stdin?.end();
      await ended;
      await eventually(() => !isAlive(pid));
    });

    it('with no words, or more than the agent takes, is refused', async () => {
      const { agent } = begin();
      await expect(agent.run(process.pid, [], { environment: [], timeout: 1000 })).rejects.toMatchObject({
        code: 'EINVAL',
      });
      await expect(
        agent.run(process.pid, Array<string>(65).fill('/bin/true'), { environment: [], timeout: 1000 }),
      ).rejects.toMatchObject({ code: 'EINVAL' });
    });
  });

  describe('reading', () => {
    it('gives a file, a folder’s names and where a link leads', async () => {
      const { agent } = begin();
      const comm = await agent.read(`/proc/${process.pid}/comm`);
      expect(comm.kind === 'file' && comm.bytes.toString()).toBe(
        readFileSync(`/proc/${process.pid}/comm`, 'utf8'),
      );
      const names = await agent.read('/proc');
      expect(names.kind === 'folder' && names.names).toEqual(
        expect.arrayContaining(['1', String(process.pid), 'net']),
      );
      expect(await agent.read(`/proc/${process.pid}/ns/pid`)).toEqual({
        kind: 'link',
        target: execFileSync('readlink', [`/proc/${process.pid}/ns/pid`])
          .toString()
          .trim(),
      });
    });

    it.each([
      '/etc/passwd',
      'proc/1/comm',
      '/proc/../etc/passwd',
      '/proc/./1',
      '/proc//1',
      '/sys/',
      `/proc/${process.pid}/root/etc/passwd`,
      `/proc/${process.pid}/cwd/package.json`,
      '/proc/self/comm',
      '/proc/no-such-thing',
      `/proc/${'a/'.repeat(40)}b`,
      '',
    ])('refuses %s', async (path) => {
      const { agent } = begin();
      await expect(agent.read(path)).rejects.toMatchObject({ name: 'AgentError' });
      expect((await agent.read(`/proc/${process.pid}/comm`)).kind).toBe('file');
    });

    it('answers many questions that are asked at once, each with its own', async () => {
      const { agent } = begin();
      const names = await agent.read('/proc');
      const pids = names.kind === 'folder' ? names.names.filter((name) => /^\d+$/.test(name)) : [];
      const stats = await Promise.allSettled(pids.map((pid) => agent.read(`/proc/${pid}/stat`)));
      const found = stats.flatMap((stat, at) =>
        stat.status === 'fulfilled' && stat.value.kind === 'file'
          ? [[pids[at], stat.value.bytes.toString().split(' ')[0]]]
          : [],
      );
      expect(found.length).toBeGreaterThan(3);
      for (const [asked, said] of found) expect(said).toBe(asked);
    });
  });

  describe('announcing', () => {
    it('has the other end learn our address by ARP', async () => {
      const { agent } = begin();
      const [nic0, nic1] = [await nicOf(agent, 'nic0'), await nicOf(agent, 'nic1')];
      for (const { index } of [nic0, nic1])
        acknowledged(await agent.netlink(routeProtocol, ask.bringUp(index, 1500)));
      acknowledged(
        await agent.netlink(
          routeProtocol,
          ask.addAddress({ index: nic1.index, address: '10.0.75.1', prefix: 30 }),
        ),
      );
      await agent.announce(
        nic0.index,
        arpRequest({ mac: nic0.mac, sender: '10.0.75.2', target: '10.0.75.1' }),
      );
      // The other end takes the frame when it gets round to it.
      await until('the other end knows us', 5, async () => {
        const { stdout } = await agent.run(process.pid, ['/usr/sbin/ip', 'neigh', 'show', 'dev', 'nic1'], {
          environment,
          timeout: 5000,
        });
        return stdout.includes(`10.0.75.2 lladdr ${nic0.mac}`);
      });
    });

    it('refuses any other frame, and an interface that is not there', async () => {
      const { agent } = begin();
      const { index, mac } = await nicOf(agent, 'nic0');
      const packet = arpRequest({ mac, sender: '10.0.75.2', target: '10.0.75.1' });
      await expect(agent.announce(999, packet)).rejects.toMatchObject({ code: 'ENXIO', what: 'sendto' });
      await expect(agent.announce(index, packet)).rejects.toMatchObject({ code: 'ENETDOWN' });
      await expect(agent.announce(index, Buffer.concat([packet, packet]))).rejects.toMatchObject({
        code: 'EINVAL',
      });
      const other = Buffer.from(packet);
      other.writeUInt16BE(0x0800, 12);
      await expect(agent.announce(index, other)).rejects.toMatchObject({ code: 'EINVAL' });
    });
  });

  describe('its end', () => {
    it('comes with a goodbye that is answered', async () => {
      const { agent, ended } = begin();
      await agent.quit();
      expect(await ended).toBe(0);
    });

    it('comes with the end of stdin', async () => {
      const { child, ended } = begin();
      child.stdin?.end();
      expect(await ended).toBe(0);
    });

    it.each([
      ['no length', Buffer.from([0, 0, 0, 0])],
      ['a length that no request has', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x4e])],
      ['an unknown letter', Buffer.from([0, 0, 0, 1, 0x5a])],
    ])('comes with %s, since nothing after it could be trusted', async (_what, bytes) => {
      const { child, ended } = startAgent(command);
      child.stdout?.resume();
      child.stdin?.write(bytes);
      expect(await ended).toBe(4);
    });
  });
});

describe.each(processors)('the agent for %s ends by itself after a minute of silence', (processor) => {
  it.each(leavings)(
    'when %s',
    async (what, status) => {
      const silence = await silences.get(`${processor}, ${what}`);
      expect(silence?.status).toBe(status);
      expect(silence?.after).toBeGreaterThan(55_000);
      expect(silence?.after).toBeLessThan(90_000);
    },
    90_000,
  );
});
