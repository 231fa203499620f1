import { afterEach, describe, expect, test } from '@jest/globals';
import { connectEngine, negotiate } from '../../../daemon/guest/engine-client.js';
import { candidates, needsRawRule, prepareGuest, releaseGuest } from '../../../daemon/guest/helper.js';
import type { GuestReport } from '../../../daemon/observation.js';
import { fakeEngine, type FakeEngine, type FakeOptions, fit, image, type Image } from './fake-engine.js';

const ownTag = 'tuntapd/helper:local';
const pair = { session: 's', mac: '02:74:75:6e:74:61', address: '10.0.75.2', prefix: 30 };
/** From local images alone, without a word. */
const local = {
  ...pair,
  mtu: 1500,
  far: '10.0.75.1',
  engineVersion: '28.5.2',
  repairs: 0,
  image: undefined,
  pull: false,
  log: () => undefined,
};
/** What a daemon leaves behind that is killed at the wrong moment. */
const left = (box: Image) => ({
  name: 'tuntapd-helper',
  labels: { 'io.github.tuntapd': 'helper' },
  image: box,
  args: [],
});
let engine: FakeEngine;
const logged: string[] = [];

afterEach(async () => {
  await engine.close();
  logged.length = 0;
});

async function prepare(
  options: FakeOptions,
  more: { pull?: boolean; image?: string; engineVersion?: string } = {},
): Promise<GuestReport> {
  engine = await fakeEngine(options);
  return prepareGuest(await connectEngine(engine.dial), {
    ...local,
    pull: true,
    ...more,
    log: (message) => logged.push(message),
  });
}

/** What the way does not wait for. */
async function soon(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}
const isKept = (id: string): Promise<void> =>
  soon(() => engine.images.find((one) => one.id === id)?.tags.includes(ownTag) === true);
const isGone = (): Promise<void> => soon(() => engine.containers.size === 0);

const noShell = () => ({ refused: 'exec: "sh": executable file not found in $PATH: unknown' });
const noNsenter = () => ({ status: 127, says: 'nsenter: not found' });

describe('the helper container', () => {
  test('reports what it did, is gone afterwards, and its image is kept under our name', async () => {
    const report = await prepare({ images: [image('i1', ['busybox:latest'], fit)] });
    expect(report).toMatchObject({
      interface: 'eth1',
      rules: ['raw PREROUTING', 'filter DOCKER-USER'],
    });
    await isGone();
    await isKept('i1');
  });

  test('images that lack what is needed, or are of another processor, are passed over', async () => {
    const foreign = () => ({ refused: 'exec /bin/sh: exec format error' });
    await prepare({
      images: [
        image('arm', ['busybox:arm'], foreign),
        image('bare', ['app:1'], noShell, 1),
        image('small', ['app:2'], noNsenter, 2),
        image('untagged', ['<none>:<none>'], fit, 1),
      ],
    });
    await isKept('untagged');
    await isGone();
    expect(engine.mostAtOnce()).toBe(1);
  });

  test.each([255, 1])(
    'passes over an image of another processor also where that starts and ends with %i',
    async (status) => {
      const started = () => ({ status, says: 'exec /bin/sh: exec format error\n' });
      await prepare({ images: [image('arm', ['busybox:arm'], started), image('fit', ['app:1'], fit)] });
      await isKept('fit');
    },
  );

  test('of a daemon that was killed is swept before the next one starts', async () => {
    engine = await fakeEngine({ images: [image('i1', ['busybox:latest'], fit)] });
    const [box] = engine.images;
    if (!box) throw new Error('no image');
    engine.containers.set('left', left(box));
    engine.containers.set('theirs', { name: 'theirs', labels: {}, image: box, args: [] });
    const client = await connectEngine(engine.dial);
    await prepareGuest(client, local);
    await soon(() => [...engine.containers.keys()].join() === 'theirs');
  });

  test('is never there twice, whoever asks for it meanwhile', async () => {
    engine = await fakeEngine({ images: [image('i1', ['busybox:latest'], fit)] });
    const client = await connectEngine(engine.dial);
    await Promise.all([1, 2, 3].map(() => prepareGuest(client, local)));
    await releaseGuest(client, { ...pair, attached: true });
    expect(engine.mostAtOnce()).toBe(1);
  });

  test('whose removal is already under way is waited for before the next one starts', async () => {
    engine = await fakeEngine({ images: [image('i1', ['busybox:latest'], fit)], removalsUnderWay: 1 });
    const [box] = engine.images;
    if (!box) throw new Error('no image');
    engine.containers.set('left', left(box));
    const client = await connectEngine(engine.dial);
    await prepareGuest(client, local);
    expect(engine.mostAtOnce()).toBe(1);
    await isGone();
  });

  test('keeps its image under our name again when somebody took that away', async () => {
    engine = await fakeEngine({ images: [image('i1', ['busybox:latest'], fit)] });
    const client = await connectEngine(engine.dial);
    const again = () => prepareGuest(client, local);
    await again();
    const [box] = engine.images;
    if (!box) throw new Error('no image');
    await isKept('i1');
    await again();
    expect(box.tags).toEqual(['busybox:latest', ownTag]);
    box.tags = ['busybox:latest'];
    await again();
    await isKept('i1');
  });

  test('runs in the image that worked last, whatever else is there', async () => {
    const images = [image('i1', ['busybox:latest'], noShell), image('i2', ['app:1', ownTag], fit, 900)];
    expect(await prepare({ images })).toMatchObject({ interface: 'eth1' });
    expect(engine.images.map(({ tags }) => tags)).toEqual([['busybox:latest'], ['app:1', ownTag]]);
  });

  test('that bears a name which somebody else took is not started, and theirs stays', async () => {
    engine = await fakeEngine({ images: [image('i1', ['busybox:latest'], fit)] });
    const [box] = engine.images;
    if (!box) throw new Error('no image');
    engine.containers.set('theirs', { ...left(box), labels: {} });
    await expect(prepareGuest(await connectEngine(engine.dial), local)).rejects.toThrow(
      'The container name "/tuntapd-helper" is already in use by container "theirs"',
    );
    expect([...engine.containers.keys()]).toEqual(['theirs']);
  });

  test.each([
    [403, 'authorization denied by plugin opa: no host network'],
    [400, 'cannot share the host PID namespace when user namespaces are enabled'],
    [500, 'enhanced container isolation: host namespaces are not allowed'],
    [
      400,
      "sysbox containers can't share namespaces [network pid] with the host (because they use the linux user-namespace for isolation)",
    ],
  ])('that is forbidden waits for a person, in the engine’s own words (%i)', async (status, message) => {
    await expect(
      prepare({ images: [image('i1', ['busybox:latest'], fit)], forbids: { status, message } }),
    ).rejects.toMatchObject({
      reason: 'HelperForbidden',
      blocked: true,
      message: expect.stringContaining(message),
    });
  });

  test('that fails says why in its own words, and is gone', async () => {
    const broken = () => ({ status: 1, says: 'reason=NoTapNic\nerror=no interface with MAC 02\n' });
    await expect(prepare({ images: [image('i1', ['busybox:latest'], broken)] })).rejects.toMatchObject({
      reason: 'NoTapNic',
      blocked: false,
      message: expect.stringContaining('no interface with MAC 02'),
    });
    expect(engine.containers.size).toBe(0);
  });
});

describe('an engine that hangs or is hostile', () => {
  const stalling: FakeOptions = { pull: { lines: [{ status: 'Downloading' }], stalls: true } };

  test('has so much time for all of a step', async () => {
    engine = await fakeEngine(stalling);
    const prepared = prepareGuest(await connectEngine(engine.dial), { ...local, pull: true, timeout: 300 });
    await expect(prepared).rejects.toThrow('Docker Engine was not done within 0.3 s');
  });

  test('is left when the step is no longer wanted, and the next one is carried out', async () => {
    engine = await fakeEngine(stalling);
    const client = await connectEngine(engine.dial);
    const giveUp = new AbortController();
    const prepared = prepareGuest(client, { ...local, pull: true, signal: giveUp.signal });
    const released = releaseGuest(client, { ...pair, attached: false });
    setTimeout(() => {
      giveUp.abort(new Error('it is no longer wanted'));
    }, 200);
    await expect(prepared).rejects.toThrow('it is no longer wanted');
    await released;
  });

  test('has its helper removed all the same', async () => {
    const never = { says: { 'POST /containers/c1/wait': '{"StatusCode":' } };
    engine = await fakeEngine({ ...never, images: [image('i1', ['busybox:latest'], fit)] });
    await expect(prepareGuest(await connectEngine(engine.dial), local)).rejects.toThrow();
    await isGone();
  });

  test('is not asked to remove thousands of containers one after the other', async () => {
    const many = JSON.stringify(Array.from({ length: 10_000 }, (_, index) => ({ Id: `x${index}` })));
    engine = await fakeEngine({
      images: [image('i1', ['busybox:latest'], fit)],
      says: { 'GET /containers/json': many },
    });
    const [box] = engine.images;
    if (!box) throw new Error('no image');
    engine.containers.set('left', left(box));
    await expect(prepareGuest(await connectEngine(engine.dial), local)).rejects.toThrow(/already in use/);
    expect(engine.asked.filter((line) => line.startsWith('DELETE'))).toHaveLength(4);
  });

  test('has few of its words kept', async () => {
    const says = `interface=eth1\n${'rule=filter DOCKER-USER\n'.repeat(160_000)}`;
    const report = await prepare({ images: [image('i1', ['busybox:latest'], () => ({ status: 0, says }))] });
    expect(report.rules).toHaveLength(4);
    await engine.close();
    const errors = { status: 1, says: `error=${'x'.repeat(5000)}\n`.repeat(1000) };
    const failed = prepare({ images: [image('i1', ['busybox:latest'], () => errors)] });
    const message = await failed.then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
    expect(message).toContain('xxx');
    expect(message.length).toBeLessThan(1000);
  });
});

describe('without a fit image', () => {
  const layers = [
    { status: 'Downloading', id: 'a1', progress: '[=> ]' },
    { status: 'Downloading', id: 'a1', progress: '[==>]' },
    { status: 'Pull complete', id: 'a1' },
  ];

  test('alpine is pulled, and each step of it is logged once', async () => {
    const brings = image('alpine', ['alpine:latest'], fit);
    await prepare({ pull: { lines: layers, brings } });
    await isKept('alpine');
    expect(logged.filter((line) => line.startsWith('pulling'))).toEqual([
      'pulling alpine: a1 Downloading',
      'pulling alpine: a1 Pull complete',
    ]);
  });

  test.each<[string, FakeOptions, boolean]>([
    [
      'offline',
      { pull: { lines: [{ error: 'dial tcp: lookup registry-1.docker.io: no such host' }] } },
      true,
    ],
    ['told not to pull', {}, false],
  ])('%s: it waits for a person who pulls one', async (_what, options, pull) => {
    await expect(prepare(options, { pull })).rejects.toMatchObject({
      reason: 'NoHelperImage',
      blocked: true,
      message: expect.stringContaining('docker pull alpine'),
    });
  });
});

test('a stream that goes silent is given up', async () => {
  engine = await fakeEngine({ pull: { lines: [{ status: 'Downloading' }], stalls: true } });
  const client = await connectEngine(engine.dial);
  const lines: unknown[] = [];
  const pull = client.stream('/images/create?fromImage=alpine', (line) => lines.push(line), {
    method: 'POST',
    idle: 200,
  });
  await expect(pull).rejects.toThrow('Docker Engine said nothing for 0.2 s');
  expect(lines).toEqual([{ status: 'Downloading' }]);
});

test('a stream that never comes to an end is given up after its time', async () => {
  engine = await fakeEngine({ pull: { lines: [{ status: 'Downloading' }], stalls: true } });
  const client = await connectEngine(engine.dial);
  const pull = client.stream('/images/create?fromImage=alpine', () => undefined, {
    method: 'POST',
    limit: 200,
  });
  await expect(pull).rejects.toThrow('Docker Engine was not done within 0.2 s');
});

test('of a pull that says ever more some words are logged', async () => {
  const lines = Array.from({ length: 500 }, (_, index) => ({ id: `layer ${index}`, status: 'Downloading' }));
  await prepare({ pull: { lines, brings: image('alpine', ['alpine:latest'], fit) } });
  expect(logged.filter((line) => line.startsWith('pulling'))).toHaveLength(50);
});

test('an engine that keeps its firewall in nftables is told apart before anything is done', async () => {
  const images = [image('i1', ['busybox:latest'], fit)];
  const of = (Driver: string) => ({ images, info: { FirewallBackend: { Driver } } });
  await expect(prepare(of('nftables'), { engineVersion: '29.0.1' })).rejects.toMatchObject({
    reason: 'FirewallBackendUnsupported',
    blocked: true,
  });
  expect(engine.containers.size).toBe(0);
  await engine.close();
  await prepare(of('iptables'), { engineVersion: '29.0.1' });
});

describe('releasing the VM', () => {
  const release = async (options: FakeOptions, attached: boolean): Promise<void> => {
    engine = await fakeEngine(options);
    await releaseGuest(await connectEngine(engine.dial), { ...pair, attached });
  };

  test('takes our image name away, and only that', async () => {
    await release({ images: [image('i1', ['busybox:latest', ownTag], fit)] }, true);
    expect(engine.images[0]?.tags).toEqual(['busybox:latest']);
  });

  test('that never had our NIC runs nothing in it', async () => {
    const fails = () => ({ status: 1, says: 'reason=NoTapNic\nerror=no interface\n' });
    await release({ images: [image('i1', [ownTag], fails)] }, false);
    expect(engine.images[0]?.tags).toEqual([]);
    expect(engine.asked.some((line) => line.includes('/containers/create'))).toBe(false);
  });

  test('needs no image when none is there that could have set it up', async () => {
    await release({ images: [] }, true);
  });

  test('says so when a rule could not be deleted', async () => {
    const stuck = () => ({ status: 1, says: 'error=iptables -t raw -D PREROUTING 1: resource busy\n' });
    await expect(release({ images: [image('i1', ['busybox:1'], stuck)] }, true)).rejects.toThrow(
      /resource busy/,
    );
  });
});

test('after ours come busybox, alpine, other names by size, and nameless images last', () => {
  const of = (Id: string, tags: string[] | null, Size: number) => ({ Id, RepoTags: tags, Size });
  const images = [
    of('nameless', null, 1),
    of('big', ['debian:13'], 90),
    of('alpine', ['docker.io/alpine:3'], 8),
    of('small', ['app:1'], 3),
    of('ours', [ownTag], 500),
  ];
  expect(candidates(images)).toEqual(['alpine', 'small', 'big', 'nameless']);
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
