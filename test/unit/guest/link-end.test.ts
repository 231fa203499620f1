import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { requests } from '../../../daemon/guest/agent/frames.js';
import { connectEngine, negotiate } from '../../../daemon/guest/engine-client.js';
import { needsRawRule, releaseGuest } from '../../../daemon/guest/link-end.js';
import { prepared, type PrepareParameters } from './prepared.js';
import type { GuestReport } from '../../../daemon/core/observation.js';
import { fakeEngine, type FakeEngine, type FakeOptions, image } from './fake-engine.js';
import { dockerd, done, errno, failed, fakeVm, type FakeVm, frame, type Streams } from './fake-vm.js';

const mac = '02:74:75:6e:74:61';
const end = { nic: mac, vmAddress: '10.0.75.2', prefix: 30 };
const programOf = (architecture: string): Buffer =>
  readFileSync(join(import.meta.dirname, `../../../daemon/guest/agent/${architecture}.agent`));
const ours = '-i eth1 -m comment --comment tuntapd -j ACCEPT';
const closed = '-i eth1 -o eth0 -m comment --comment tuntapd -j DROP';
const theirDrop = '-d 172.17.0.2/32 ! -i docker0 -j DROP';
const theirRule = '-s 10.9.9.9/32 -j DROP';

let engine: FakeEngine;
let vm: FakeVm = fakeVm(mac);
const logged: string[] = [];
/** Another VM, or the same one started anew. */
const fresh = (): FakeVm => (vm = fakeVm(mac));
const begin = async (options: FakeOptions = {}): Promise<FakeEngine> => {
  engine = await fakeEngine({
    runs: (streams) => {
      vm.agent(streams);
    },
    ...options,
  });
  return engine;
};

const parameters = {
  ...end,
  session: 's',
  mtu: 1400,
  macAddress: '10.0.75.1',
  engineVersion: '28.5.2',
  generation: 0,
  timeout: 5000,
  log: (words: string) => {
    logged.push(words);
  },
};
type More = Partial<PrepareParameters>;
const prepareAgain = async (more: More = {}): Promise<GuestReport> =>
  prepared(await connectEngine(engine.dial), { ...parameters, ...more });
const prepare = async (options: FakeOptions = {}, more: More = {}): Promise<GuestReport> => {
  await begin(options);
  return prepareAgain(more);
};
const release = async (hasNic = true): Promise<void> =>
  releaseGuest(await connectEngine(engine.dial), { ...end, hasNic, timeout: 5000 });

afterEach(async () => {
  await engine.close();
  logged.length = 0;
  fresh();
});

/** What the way does not wait for. */
async function soon(holds: () => boolean): Promise<void> {
  for (const last = Date.now() + 10_000; !holds() && Date.now() < last;)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}
/** Neither a container nor an open stream is left. */
const isGone = (): Promise<void> => soon(() => engine.containers.size === 0 && engine.streams.size === 0);
const onlyOursRan = (architecture = 'amd64'): void => {
  expect(engine.started.length).toBeGreaterThan(0);
  for (const { program } of engine.started) expect(program.equals(programOf(architecture))).toBe(true);
};
const eth1 = () => vm.nics.find(({ name }) => name === 'eth1');
const isUntouched = (): void => {
  const { nics, addresses, routes, chains, announced } = fakeVm(mac);
  expect(vm).toMatchObject({ nics, addresses, routes, chains, announced });
};
/** What a daemon leaves behind that is killed at the wrong moment. */
const left = {
  name: 'tuntapd-helper',
  labels: { 'io.github.tuntapd': 'helper' },
  image: image('any'),
  host: {},
};

describe('the VM’s end of the link', () => {
  test.each(['docker', 'containerd'] as const)(
    'is set up on an empty engine with the store of %s, and nothing but the image is left of it',
    async (store) => {
      expect(await prepare({ store })).toEqual({
        session: 's',
        interface: 'eth1',
        rules: ['raw PREROUTING', 'filter DOCKER-USER'],
        observedGeneration: 0,
      });
      expect(eth1()).toMatchObject({ up: true, mtu: 1400 });
      expect(vm.addresses).toContainEqual({ index: 3, address: '10.0.75.2', prefix: 30 });
      expect(Object.fromEntries(vm.chains)).toEqual({
        'raw PREROUTING': [ours, theirDrop],
        'filter DOCKER-USER': [closed, ours, theirRule],
        'filter FORWARD': ['-j DOCKER-USER'],
      });
      expect(vm.announced.map(({ index, packet }) => [index, packet.toString('hex')])).toEqual([
        [
          3,
          'ffffffffffff0274756e7461 0806 0001 0800 06 04 0001 0274756e7461 0a004b02 000000000000 0a004b01'.replaceAll(
            ' ',
            '',
          ),
        ],
      ]);
      await isGone();
      onlyOursRan();
      expect(engine.images.map(({ tags }) => tags)).toEqual([[]]);
      expect(engine.asked.some((line) => line.includes('/images/create'))).toBe(false);
    },
  );

  test('stays as it is when it is set up again, and the image is loaded once', async () => {
    await prepare();
    const before = JSON.stringify([vm.nics, vm.addresses, [...vm.chains]]);
    await prepareAgain();
    expect(JSON.stringify([vm.nics, vm.addresses, [...vm.chains]])).toBe(before);
    expect(engine.asked.filter((line) => line.includes('/images/load'))).toHaveLength(1);
    await isGone();
  });

  test('is set up again after somebody removed the image', async () => {
    await prepare();
    await isGone();
    engine.images.length = 0;
    fresh();
    await prepareAgain();
    expect(vm.chains.get('filter DOCKER-USER')).toEqual([closed, ours, theirRule]);
    await isGone();
    onlyOursRan();
  });

  test.each([
    ['amd64', 'amd64'],
    ['arm64', 'arm64'],
  ])('an engine on %s gets the program for %s', async (Arch, program) => {
    await prepare({ version: { Arch } });
    onlyOursRan(program);
    await isGone();
  });

  test('an engine on an unknown processor waits for a person, and nothing is done there', async () => {
    await expect(prepare({ version: { Arch: 'riscv64' } })).rejects.toMatchObject({
      reason: 'AgentUnfit',
      blocked: true,
      message: expect.stringContaining('riscv64'),
    });
    expect(engine.images).toEqual([]);
    expect(engine.containers.size).toBe(0);
    // Whoever could never set it up has nothing to take away.
    await release();
    await release(false);
    isUntouched();
  });
});

describe('the helper container', () => {
  test('has the rights that it needs, and no others', async () => {
    const hosts: Record<string, unknown>[] = [];
    await begin({
      runs: (streams) => {
        for (const { host } of engine.containers.values()) hosts.push(host);
        vm.agent(streams);
      },
    });
    await prepareAgain();
    expect(hosts).toEqual([
      expect.objectContaining({
        AutoRemove: true,
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        CapAdd: ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_CHROOT', 'NET_ADMIN', 'NET_RAW'],
        LogConfig: { Type: 'none', Config: {} },
        SecurityOpt: expect.arrayContaining(['no-new-privileges']),
      }),
    ]);
    for (const word of ['Privileged', 'Binds', 'Mounts', 'Devices'])
      expect(hosts[0]).not.toHaveProperty(word);
    await isGone();
  });

  test('of a daemon that was killed is swept before the next one starts', async () => {
    await begin();
    engine.containers.set('left', left);
    engine.containers.set('theirs', { ...left, name: 'theirs', labels: {} });
    await prepareAgain();
    await soon(() => [...engine.containers.keys()].join() === 'theirs');
    onlyOursRan();
  });

  test('is never there twice, whoever asks for it meanwhile', async () => {
    await begin();
    const client = await connectEngine(engine.dial);
    await Promise.all([1, 2, 3].map(() => prepared(client, parameters)));
    await releaseGuest(client, { ...end, hasNic: true });
    expect(engine.maxAtOnce()).toBe(1);
    await isGone();
    expect(engine.images).toEqual([]);
  });

  test('whose removal is already under way is waited for before the next one starts', async () => {
    await begin({ removalsUnderWay: 1 });
    engine.containers.set('left', left);
    await prepareAgain();
    expect(engine.maxAtOnce()).toBe(1);
    await isGone();
  });

  test('that bears a name which somebody else took is not started, and theirs stays', async () => {
    await begin();
    engine.containers.set('theirs', { ...left, labels: {} });
    await expect(prepareAgain()).rejects.toThrow(
      'The container name "/tuntapd-helper" is already in use by container "theirs"',
    );
    expect([...engine.containers.keys()]).toEqual(['theirs']);
    expect(engine.started).toEqual([]);
  });

  describe.each([
    [403, 'authorization denied by plugin opa: no host network'],
    [400, 'cannot share the host PID namespace when user namespaces are enabled'],
    [500, 'enhanced container isolation: host namespaces are not allowed'],
    [
      400,
      "sysbox containers can't share namespaces [network pid] with the host (because they use the linux user-namespace for isolation)",
    ],
  ])('that is forbidden (%i %s)', (status, message) => {
    test.each(['POST /containers/create', 'POST /containers/c1/start', 'POST /images/load'])(
      'at %s waits for a person, in the engine’s own words',
      async (what) => {
        await expect(prepare({ refuses: { [what]: { status, message } } })).rejects.toMatchObject({
          reason: 'HelperForbidden',
          blocked: true,
          message: expect.stringContaining(message),
        });
        await isGone();
        isUntouched();
      },
    );
  });

  test('that an engine cannot start is told in the engine’s own words, and is gone', async () => {
    const refuses = { 'POST /containers/c1/start': { status: 500, message: 'cgroups: no space left' } };
    await expect(prepare({ refuses })).rejects.toThrow('cgroups: no space left');
    await isGone();
  });

  test('whose streams a proxy does not hand over is told, and is gone', async () => {
    await expect(prepare({ breaksAttach: true })).rejects.toThrow(
      'Docker Engine, or a proxy before it, does not hand over a container’s streams',
    );
    await isGone();
    expect(engine.started).toEqual([]);
  });

  test('that the engine does not remove by itself is gone, and its stream too', async () => {
    await begin({ keeps: true });
    await prepareAgain();
    await isGone();
  });

  test.each(['GET /containers/c1/json', 'POST /containers/c1/attach'])(
    'is gone also where %s fails',
    async (what) => {
      await expect(prepare({ hangsAt: (asked) => asked === what }, { timeout: 300 })).rejects.toThrow(
        'Docker Engine was not done within 0.3 s',
      );
      await isGone();
      expect(engine.started).toEqual([]);
    },
  );
});

describe('what the VM has decides', () => {
  const refused = async (reason: string, words: string | RegExp, blocked = false): Promise<void> => {
    await expect(prepare()).rejects.toMatchObject({
      reason,
      blocked,
      message: expect.stringMatching(words),
    });
    await isGone();
  };

  test('without our NIC', async () => {
    vm.nics.splice(2, 1);
    await refused('NoTapNic', `no interface with MAC ${mac}`);
  });

  test('with somebody else on the link’s network', async () => {
    vm.routes.push({ address: '10.0.75.0', prefix: 24, index: 4 });
    const before = JSON.stringify(vm);
    await refused('LinkCollision', /10\.0\.75\.0\/24 dev docker0/, true);
    expect(JSON.stringify(vm)).toBe(before);
  });

  test.each([
    ['another user’s', { uid: 501 }],
    ['one in namespaces of its own', { namespaces: 'container' }],
    ['one of another name', { name: 'dockerd-proxy' }],
  ])('%s is no dockerd of the VM, and nothing of it is run', async (_what, other) => {
    vm.processes.set(900, dockerd(other));
    await refused('NoDockerd', 'no dockerd');
    expect(vm.commands).toEqual([]);
    expect(eth1()).toMatchObject({ up: false });
  });

  test('the first of several dockerds counts, and only its programs are run', async () => {
    vm.processes.set(100, dockerd({ uid: 501, startedAt: 1, programs: ['/usr/local/bin/iptables'] }));
    vm.processes.set(950, dockerd({ startedAt: 2000, programs: ['/usr/local/bin/iptables'] }));
    await prepare();
    expect(vm.chains.get('raw PREROUTING')).toEqual([ours, theirDrop]);
    await isGone();
  });

  test('a dockerd without iptables is told', async () => {
    vm.processes.set(900, dockerd({ programs: [] }));
    await refused('GuestRefused', 'has no iptables');
  });

  test('a dockerd that dies meanwhile is told', async () => {
    vm.beforeCommand = () => {
      vm.processes.clear();
      return undefined;
    };
    await refused('GuestRefused', /open ns\/mnt: ENOENT/);
  });

  test('a command that hangs is told', async () => {
    vm.beforeCommand = () => errno.ETIMEDOUT;
    await refused('GuestRefused', /run: ETIMEDOUT/);
  });

  test('a NIC that goes meanwhile is told', async () => {
    vm.beforeCommand = () => {
      vm.nics.splice(2, 1);
      return undefined;
    };
    await refused('GuestRefused', /sendto: ENODEV/);
  });

  test('what iptables says when it refuses is told, and few of its words', async () => {
    vm.beforeCommand = (words) => (words.includes('-I') ? `busy ${'x'.repeat(20_000)}` : undefined);
    await refused('GuestRefused', /^iptables -t raw -I PREROUTING 1 .{0,100}: busy x{200,500}…$/);
  });

  test('without a DOCKER-USER chain the rules are in FORWARD', async () => {
    vm.chains.delete('filter DOCKER-USER');
    expect(await prepare({}, { engineVersion: '20.10.0' })).toMatchObject({ rules: ['filter FORWARD'] });
    expect(Object.fromEntries(vm.chains)).toEqual({
      'raw PREROUTING': [theirDrop],
      'filter FORWARD': [closed, ours, '-j DOCKER-USER'],
    });
  });
});

describe('an engine that hangs or is hostile', () => {
  test.each(['POST /images/load', 'POST /containers/create', 'POST /containers/c1/start'])(
    'has so much time for all of a step (%s)',
    async (what) => {
      const prepared = prepare({ hangsAt: (asked) => asked === what }, { timeout: 300 });
      await expect(prepared).rejects.toThrow('Docker Engine was not done within 0.3 s');
      await isGone();
    },
  );

  test('is left when the step is no longer wanted, and the next one is carried out', async () => {
    await begin({ hangsAt: (what) => what === 'POST /images/load' });
    const client = await connectEngine(engine.dial);
    const giveUp = new AbortController();
    const preparing = prepared(client, { ...parameters, signal: giveUp.signal });
    const released = releaseGuest(client, { ...end, hasNic: false });
    setTimeout(() => {
      giveUp.abort(new Error('it is no longer wanted'));
    }, 200);
    await expect(preparing).rejects.toThrow('it is no longer wanted');
    await released;
  });

  test('is not asked to remove thousands of containers one after the other', async () => {
    const many = JSON.stringify(Array.from({ length: 10_000 }, (_, index) => ({ Id: `x${index}` })));
    await begin({ says: { 'GET /containers/json': many } });
    engine.containers.set('left', left);
    await expect(prepareAgain()).rejects.toThrow(/already in use/);
    expect(engine.asked.filter((line) => line.startsWith('DELETE'))).toHaveLength(4);
  });

  test('whose images have our names runs none of them', async () => {
    const images = ['tuntapd', 'tuntapd/helper:local', 'tuntapd/agent:latest'].map((tag, at) =>
      image(`sha256:${String(at).repeat(64)}`, [tag]),
    );
    await prepare({ images });
    await isGone();
    onlyOursRan();
    await release();
    expect(engine.images.map(({ id }) => id)).toEqual(images.map(({ id }) => id));
  });

  test('that keeps the agent under another id has nothing started', async () => {
    await expect(prepare({ lies: { loadsAs: `sha256:${'f'.repeat(64)}` } })).rejects.toMatchObject({
      reason: 'AgentRefused',
      blocked: true,
    });
    expect(engine.started).toEqual([]);
    await isGone();
  });

  test.each([
    ['makes the container of another image', { creates: image(`sha256:${'e'.repeat(64)}`) }],
    ['says that the container is of another image', { inspectsAs: `sha256:${'e'.repeat(64)}` }],
  ])('that %s has nothing started', async (_what, lies) => {
    await expect(prepare({ lies })).rejects.toMatchObject({
      reason: 'AgentRefused',
      blocked: true,
      message: expect.stringContaining('eeee'),
    });
    expect(engine.started).toEqual([]);
    await isGone();
  });

  test.each([
    [500, 'write /var/lib/docker/tmp: no space left on device'],
    [404, 'page not found'],
  ])('that does not load the agent (%i) is told in its own words', async (status, message) => {
    const refuses = { 'POST /images/load': { status, message } };
    await expect(prepare({ refuses })).rejects.toThrow(message);
    expect(engine.started).toEqual([]);
  });

  test('a container id that is a path leads nowhere else', async () => {
    await expect(prepare({ says: { 'POST /containers/create': '{"Id":"../images/x"}' } })).rejects.toThrow();
    expect(engine.asked.filter((line) => /\/images\/x/.test(line) && !line.includes('/containers/'))).toEqual(
      [],
    );
  });
});

describe('an agent that is none', () => {
  const length = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  /** More than any answer may hold, and no last frame. */
  const endless = (bytes: Buffer) => (streams: Streams) => {
    let more = 6_000_000;
    streams.onStdin(() => {
      for (; more > 0; more -= bytes.length) streams.stdout(bytes);
    });
  };
  const answering = (make: (streams: Streams) => void) => (streams: Streams) => {
    streams.onStdin(() => {
      make(streams);
    });
  };

  test.each<[string, (streams: Streams) => void, RegExp]>([
    [
      'ends at once',
      (streams) => {
        setTimeout(streams.exit, 10);
      },
      /hung up|ended/,
    ],
    [
      'says garbage',
      answering(({ stdout }) => {
        stdout(Buffer.from('HTTP/1.1 400 Bad Request\r\n'));
      }),
      /frame of \d+ bytes/,
    ],
    [
      'announces a huge frame',
      answering(({ stdout }) => {
        stdout(length(0xffff_ffff));
      }),
      /frame of 4294967295 bytes/,
    ],
    [
      'sends an empty frame',
      answering(({ stdout }) => {
        stdout(length(0));
      }),
      /frame of 0 bytes/,
    ],
    [
      'cuts a frame',
      answering(({ stdout, exit }) => {
        stdout(length(100));
        exit();
      }),
      /hung up|ended/,
    ],
    [
      'ends without an answer',
      answering(({ exit }) => {
        exit();
      }),
      /hung up|ended/,
    ],
    [
      'has a header that is none',
      answering(({ raw }) => {
        raw(Buffer.from('just some words'));
      }),
      /not that of a container/,
    ],
    [
      'has a huge part',
      answering(({ raw }) => {
        raw(Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
      }),
      /not that of a container/,
    ],
    ['sends data without an end', endless(frame('D', Buffer.alloc(30_000))), /larger than \d+ bytes/],
    [
      'sends empty data without an end',
      endless(Buffer.concat(Array<Buffer>(5000).fill(frame('D')))),
      /larger than \d+ bytes/,
    ],
    [
      'answers what nobody asked',
      answering(({ stdout }) => {
        stdout(Buffer.concat(Array<Buffer>(5000).fill(done())));
      }),
      /nobody asked|cut|makes no sense|of kind 0/,
    ],
    [
      'has a last frame without a number',
      answering(({ stdout }) => {
        stdout(frame('.', Buffer.alloc(1)));
      }),
      /has no number/,
    ],
  ])('and %s is told, and is gone', async (_what, runs, words) => {
    await expect(prepare({ runs })).rejects.toMatchObject({
      name: 'StepError',
      reason: 'AgentFailed',
      message: expect.stringMatching(words),
    });
    await isGone();
  });

  /** Ours until it is told to go: an engine in a hurry drops what a container says last. */
  const goingBy = (ending: (streams: Streams) => void) => (streams: Streams) => {
    const onStdin: Streams['onStdin'] = (listener) => {
      streams.onStdin((bytes) => {
        if (bytes.equals(requests.quit())) ending(streams);
        else listener(bytes);
      });
    };
    vm.agent({ ...streams, onStdin });
  };

  test.each<[string, (streams: Streams) => void]>([
    [
      'ends without a last word',
      ({ exit }) => {
        exit();
      },
    ],
    [
      'is cut off at its last word',
      ({ stdout, exit }) => {
        stdout(done().subarray(0, 6));
        exit();
      },
    ],
    ['does not end when it is told to', () => undefined],
  ])('has done its work all the same where it %s', async (_what, ending) => {
    await prepare({ runs: goingBy(ending) }, { timeout: 20_000 });
    expect(vm.chains.get('raw PREROUTING')).toEqual([ours, theirDrop]);
    expect(logged).toEqual([expect.stringMatching(/^the helper container reported after \d+ ms$/)]);
    await isGone();
  });

  test('and never answers has so much time', async () => {
    await expect(prepare({ runs: () => undefined }, { timeout: 300 })).rejects.toThrow(
      'Docker Engine was not done within 0.3 s',
    );
    await isGone();
  });

  test('and refuses everything is told in plain words', async () => {
    const runs = answering(({ stdout }) => {
      stdout(Buffer.concat(Array<Buffer>(4).fill(failed(9999, 'so\n\u001b[31mred'))));
    });
    await expect(prepare({ runs })).rejects.toMatchObject({
      reason: 'GuestRefused',
      message: 'the VM refused: so [31mred: E?',
    });
  });

  test('has few of its words kept', async () => {
    const runs = (streams: Streams): void => {
      for (let at = 0; at < 200; at += 1) streams.stderr(Buffer.from('exec format error\n'.repeat(500)));
      setTimeout(streams.exit, 10);
    };
    await expect(prepare({ runs })).rejects.toThrow();
    const [said = ''] = logged.filter((line) => line.includes('exec format error'));
    expect(said.length).toBeGreaterThan(50);
    expect(said.length).toBeLessThan(1000);
  });
});

test('an answer of the engine that never comes to an end is given up after its time', async () => {
  await begin();
  const client = await connectEngine(engine.dial);
  await expect(client.bytes('GET', '/events', { timeout: 200 })).rejects.toThrow('did not end in time');
});

test('an engine that keeps its firewall in nftables is told apart before anything is done', async () => {
  const of = (Driver: string) => ({ info: { FirewallBackend: { Driver } } });
  await expect(prepare(of('nftables'), { engineVersion: '29.0.1' })).rejects.toMatchObject({
    reason: 'FirewallBackendUnsupported',
    blocked: true,
  });
  expect(engine.containers.size).toBe(0);
  expect(engine.images).toEqual([]);
  await engine.close();
  await prepare(of('iptables'), { engineVersion: '29.0.1' });
});

describe('releasing the VM', () => {
  test('takes rules, address and image away, and only those', async () => {
    const theirs = image('theirs', ['tuntapd/helper:local']);
    await prepare({ images: [theirs] });
    await release();
    expect(Object.fromEntries(vm.chains)).toEqual(Object.fromEntries(fakeVm(mac).chains));
    expect(vm.addresses).toEqual(fakeVm(mac).addresses);
    expect(eth1()).toMatchObject({ up: false });
    expect(engine.images).toEqual([theirs]);
    await isGone();
    onlyOursRan();
  });

  test('works on an engine that has lost the image, and without our NIC', async () => {
    await prepare();
    await isGone();
    engine.images.length = 0;
    vm.nics.splice(2, 1);
    await release();
    expect(Object.fromEntries(vm.chains)).toEqual(Object.fromEntries(fakeVm(mac).chains));
    expect(engine.images).toEqual([]);
  });

  test('that never had our NIC runs nothing in it, and removes the image', async () => {
    await prepare();
    await isGone();
    const before = engine.started.length;
    await release(false);
    expect(engine.images).toEqual([]);
    expect(engine.started).toHaveLength(before);
  });

  test('is no fault when nothing was ever there', async () => {
    await begin();
    await release(false);
    expect(engine.images).toEqual([]);
    expect(engine.containers.size).toBe(0);
  });

  test('also removes an image that a container of ours, left by a killed daemon, holds', async () => {
    await prepare();
    await isGone();
    const [agent] = engine.images;
    if (!agent) throw new Error('no image');
    engine.containers.set('left', { ...left, image: agent });
    await release(false);
    expect(engine.images).toEqual([]);
    expect(engine.containers.size).toBe(0);
  });

  test('leaves an image that somebody made containers of, or gave names, to them', async () => {
    await prepare();
    await isGone();
    const [agent] = engine.images;
    if (!agent) throw new Error('no image');
    engine.containers.set('theirs', { ...left, name: 'theirs', labels: {}, image: agent });
    await release();
    expect([...engine.containers.keys()]).toEqual(['theirs']);
    engine.containers.clear();
    agent.tags = ['mine:1', 'mine/too:1'];
    await release(false);
    expect(engine.images).toEqual([agent]);
    expect(Object.fromEntries(vm.chains)).toEqual(Object.fromEntries(fakeVm(mac).chains));
  });

  test('says so when a rule could not be deleted', async () => {
    await prepare();
    vm.beforeCommand = (words) => (words.includes('-D') ? 'resource busy' : undefined);
    await expect(release()).rejects.toThrow(/iptables -t raw -D PREROUTING 1: resource busy/);
    await isGone();
  });
});

test.each([
  ['1.41', '1.12', '1.41'],
  ['1.51', '1.24', '1.51'],
  ['1.60', '1.44', '1.51'],
  ['1.99', '1.52', '1.52'],
])('an engine that speaks %s and still %s is asked in %s', async (ApiVersion, MinAPIVersion, asked) => {
  expect(negotiate({ ApiVersion, MinAPIVersion })).toBe(asked);
  engine = await fakeEngine({ version: { ApiVersion, MinAPIVersion } });
  await (await connectEngine(engine.dial)).bytes('GET', '/info');
  expect(engine.asked.at(-1)).toBe(`GET /v${asked}/info`);
});

test.each([
  ['20.10.24+dfsg1', false],
  ['27.5.1', false],
  ['28.0.0-rc.1', true],
  ['29.1.0', true],
  ['dev', true],
])('Engine %s: a rule in the raw table: %s', (version, needed) => {
  expect(needsRawRule(version)).toBe(needed);
});
