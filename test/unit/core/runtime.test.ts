/** Which runtime is followed of several, and what is said of the others. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { configSchema } from '../../../config/schema.js';
import { chooseRuntime, followedVm, needsContext, toldBeside } from '../../../daemon/core/docker/runtime.js';
import {
  type DockerContext,
  type Machine,
  type Runtimes,
  seen,
  unknown,
  type Vm,
} from '../../../daemon/core/observation.js';
import { observeRuntimes } from '../../../daemon/runtime/observe-runtimes.js';
import { judgeConditions, judgeRestart } from './judged.js';
import { quietMac, up } from './worlds.js';

const home = '/Users/person';
const vmOf = (pid: number): Vm => ({
  id: `${pid}@then`,
  pid,
  uid: 501,
  startedAt: 'then',
  startedWithTap: false,
  tapIsForeign: false,
  executable: null,
});
const machine = (name: Machine['name'], pid: number, folder: string | null = null): Machine => ({
  name,
  vm: vmOf(pid),
  folder,
});
const colima = machine('colima', 11, `${home}/.colima/_lima/colima`);
const profile = machine('colima', 12, `${home}/.config/colima/_lima/colima-work`);
const before = machine('colima', 13, `${home}/.lima/colima`);
const moved = machine('colima', 14, '/Volumes/fast/c/_lima/colima');
const lima = machine('Lima', 15, `${home}/.lima/docker`);
const rancher = machine('Rancher Desktop', 16, `${home}/Library/Application Support/rancher-desktop/lima/0`);
const orbstack = machine('OrbStack', 17);
const podman = machine('Podman', 18);
const every = [colima, profile, before, lima, rancher, orbstack, podman];

const contextAt = (socket: string | null, host = `unix://${socket ?? ''}`, name = 'mine'): DockerContext => ({
  name,
  host,
  socket,
});
const none = { vm: null, runs: false };
const sight = (
  machines: readonly Machine[],
  context: DockerContext | null,
  desktop: Runtimes['desktop'] = none,
): Runtimes => ({ machines, context: seen(context), desktop });
const choose = (runtimes: Runtimes, context = 'auto') =>
  chooseRuntime(configSchema.parse({ docker: { context } }), runtimes);

describe('a socket leads to its VM', () => {
  test.each([
    ['colima', colima, `${home}/.colima/default/docker.sock`],
    ['colima of long ago', before, `${home}/.colima/docker.sock`],
    ['colima in Lima’s own home', before, `${home}/.colima/default/docker.sock`],
    ['a profile of colima', profile, `${home}/.config/colima/work/docker.sock`],
    ['a colima whose home is elsewhere', moved, '/Volumes/fast/c/default/docker.sock'],
    ['Lima', lima, `${home}/.lima/docker/sock/docker.sock`],
    ['Rancher Desktop', rancher, `${home}/.rd/docker.sock`],
  ])('%s', (_what, wanted, socket) => {
    const others = every.filter(({ name }) => name !== wanted.name);
    const choice = choose(sight([...others, wanted], contextAt(socket)));
    expect(choice).toEqual({
      kind: 'machine',
      vm: { ...wanted.vm, runtime: { name: wanted.name, socket } },
    });
  });

  test.each([
    ['another profile’s', [colima], `${home}/.colima/work/docker.sock`],
    ['the default one, where another profile runs', [profile], `${home}/.config/colima/default/docker.sock`],
    ['another VM of Lima’s', [lima], `${home}/.lima/docker2/sock/docker.sock`],
    ['Docker Desktop’s, which does not run', [colima, rancher], `${home}/.docker/run/docker.sock`],
    ['nobody’s', [colima, lima, rancher], '/private/var/run/docker.sock'],
  ])('%s is followed by nobody', (_what, machines, socket) => {
    expect(choose(sight(machines, contextAt(socket)))).toMatchObject({
      kind: 'none',
      reason: 'NotChosen',
      message: expect.stringContaining(`(pid ${machines[0]?.vm.pid ?? 0})`) as unknown,
    });
  });
});

describe('with auto', () => {
  const socket = `${home}/.colima/default/docker.sock`;
  test.each<[string, Runtimes, object]>([
    ['Docker Desktop alone', sight([], null, { vm: vmOf(5), runs: true }), { kind: 'desktop' }],
    ['nothing at all', sight([], null), { kind: 'desktop' }],
    [
      'Docker Desktop comes first, whatever the context says',
      sight([colima], contextAt(socket), { vm: vmOf(5), runs: true }),
      { kind: 'desktop' },
    ],
    [
      'also while its VM sleeps',
      sight([colima], contextAt(socket), { vm: null, runs: true }),
      { kind: 'desktop' },
    ],
    [
      'also while tuntapd has quit it, and opens it again',
      sight([colima], contextAt(socket), { vm: null, runs: false, isOwed: true }),
      { kind: 'desktop' },
    ],
    ['no context is chosen', sight([colima], null), { kind: 'none', reason: 'NotChosen' }],
    [
      'the context is another computer’s',
      sight([colima], contextAt(null, 'ssh://build.example')),
      { kind: 'none', reason: 'NotChosen' },
    ],
    [
      'the context is not known',
      { ...sight([colima], null), context: unknown('late') },
      { kind: 'unknown', why: 'late' },
    ],
    ['OrbStack alone', sight([orbstack], null), { kind: 'none', reason: 'RoutesItself' }],
    ['Podman alone', sight([podman], null), { kind: 'none', reason: 'NoWayIn' }],
    [
      'OrbStack, beside a colima that docker does not talk to',
      sight([colima, orbstack], contextAt(`${home}/.orbstack/run/docker.sock`)),
      { kind: 'none', reason: 'RoutesItself' },
    ],
    [
      'Podman, by its machine’s socket',
      sight([colima, podman], contextAt('/private/var/folders/vg/T/podman/podman-machine-default-api.sock')),
      { kind: 'none', reason: 'NoWayIn' },
    ],
  ])('%s', (_what, runtimes, choice) => {
    expect(choose(runtimes)).toMatchObject(choice);
  });
});

describe('with a name', () => {
  const socket = `${home}/.colima/default/docker.sock`;
  const desktop = { vm: vmOf(5), runs: true };
  test.each<[string, Runtimes, object]>([
    [
      'it is followed although Docker Desktop runs',
      sight([colima], contextAt(socket), desktop),
      { kind: 'machine', vm: { id: '11@then' } },
    ],
    [
      'Docker Desktop’s own is Docker Desktop',
      sight([colima], contextAt(`${home}/.docker/run/docker.sock`), desktop),
      { kind: 'desktop' },
    ],
    ['there is none of it', sight([colima], null, desktop), { kind: 'none', reason: 'ContextMissing' }],
    [
      'it is another computer’s',
      sight([colima], contextAt(null, 'tcp://10.0.0.1:2376'), desktop),
      { kind: 'none', reason: 'ContextNotLocal' },
    ],
    ['its VM does not run', sight([], contextAt(socket), desktop), { kind: 'none', reason: 'NotRunning' }],
    ['it is not known', { ...sight([], null), context: unknown('late') }, { kind: 'unknown', why: 'late' }],
  ])('%s', (_what, runtimes, choice) => {
    expect(choose(runtimes, 'mine')).toMatchObject(choice);
  });
});

test('what is told of a context leaves out who logs in with which password', () => {
  const far = (host: string) => JSON.stringify(choose(sight([colima], contextAt(null, host)), 'mine'));
  expect(far('tcp://user:p4ss@build.example:2376')).toContain('(tcp://build.example:2376)');
  expect(far('ssh://me:p4ss@odd@build.example/x@y')).toContain('(ssh://build.example/x@y)');
  expect(far('user:p4ss@build.example')).toContain('(build.example)');
  expect(far(`tcp://user:${'p4ss'.repeat(200)}@build.example`)).toContain('(tcp://build.example)');
  expect(far('tcp://build.example:2376')).toContain('(tcp://build.example:2376)');
});

test('a VM that is not looked for is not said not to run', () => {
  const asked = { link: 'tap', docker: { context: 'mine' } };
  const choice = chooseRuntime(
    configSchema.parse(asked),
    sight([], contextAt(`${home}/.colima/default/docker.sock`)),
  );
  expect(choice).toMatchObject({
    reason: 'NotRunning',
    message: expect.stringContaining('link is “tap”') as unknown,
  });
  expect(choice).not.toMatchObject({ message: expect.stringContaining('no VM runs') as unknown });
});

test('the context is asked for only where the choice hangs on it', () => {
  const needs = (
    context: string,
    machines: readonly Machine[],
    desktop: Runtimes['desktop'] = none,
  ): boolean => needsContext(configSchema.parse({ docker: { context } }), { machines, desktop });
  expect(needs('auto', [])).toBe(false);
  expect(needs('auto', [orbstack, podman])).toBe(false);
  expect(needs('auto', [colima], { vm: vmOf(5), runs: true })).toBe(false);
  expect(needs('auto', [colima], { vm: null, runs: true })).toBe(false);
  expect(needs('auto', [colima], { vm: null, runs: false, isOwed: true })).toBe(false);
  expect(needs('auto', [colima])).toBe(true);
  expect(needs('mine', [])).toBe(true);
});

test('whatever a context says, only a VM that runs is followed, and none that has no way in', () => {
  const anySocket = fc.oneof(
    fc.constantFrom(`${home}/.colima/default/docker.sock`, `${home}/.rd/docker.sock`, '/podman/docker.sock'),
    fc.string().map((text) => `/${text}`),
  );
  fc.assert(
    fc.property(
      fc.subarray(every),
      fc.option(anySocket),
      fc.constantFrom('auto', 'mine'),
      (machines, socket, wanted) => {
        const choice = choose(sight(machines, contextAt(socket)), wanted);
        if (choice.kind !== 'machine') return;
        const chosen = machines.find(({ vm }) => vm.id === choice.vm.id);
        expect(chosen).toBeDefined();
        expect(['OrbStack', 'Podman']).not.toContain(chosen?.name);
        expect(choice.vm.runtime?.socket).toBe(socket);
      },
    ),
  );
});

test('what else runs is told, with why it is not followed', () => {
  const config = configSchema.parse({});
  const vm = vmOf(5);
  expect(toldBeside(config, sight([colima], null, { vm, runs: true }), vm)).toBe(
    '; colima (pid 11) runs too, and is not followed: Docker Desktop comes first, unless docker.context names another',
  );
  expect(toldBeside(config, sight([colima], null), colima.vm)).toBe('');
  const named = configSchema.parse({ docker: { context: 'colima' } });
  expect(toldBeside(named, sight([colima, rancher], null, { vm, runs: true }), colima.vm)).toBe(
    '; Docker Desktop (pid 5), Rancher Desktop (pid 16) run too, and are not followed: docker.context is “colima”',
  );
});

test.each<[string, Runtimes, Vm | null, RegExp, string]>([
  [
    'a VM of colima’s that is followed',
    sight([colima, podman], contextAt(`${home}/.colima/default/docker.sock`)),
    { ...colima.vm, runtime: { name: 'colima', socket: `${home}/.colima/default/docker.sock` } },
    /^colima’s VM runs as pid 11 since then; Podman \(pid 18\) runs too, and is not followed/,
    'Running',
  ],
  ['OrbStack alone', sight([orbstack], null), null, /^OrbStack’s VM runs \(pid 17\)/, 'RoutesItself'],
  [
    'Docker Desktop while its VM sleeps, and colima beside it',
    sight([colima], null, { vm: null, runs: true }),
    null,
    /^Docker’s VM does not run; .*; colima \(pid 11\) runs too, and is not followed/,
    'NotRunning',
  ],
])('the status tells of %s', (_what, runtimes, vm, message, reason) => {
  const { findings } = judgeConditions(
    configSchema.parse({}),
    { ...quietMac, vm: seen(vm), runtimes },
    up,
    [],
  );
  expect(findings.find(({ type }) => type === 'VirtualMachine')).toMatchObject({
    reason,
    message: expect.stringMatching(message) as unknown,
  });
});

test('Docker is never restarted for a VM that is another runtime’s', () => {
  const config = configSchema.parse({});
  const actFor = (vm: Vm): string => judgeRestart(config, { ...quietMac, vm: seen(vm) }, up).act;
  expect(actFor(colima.vm)).not.toBe('none');
  expect(actFor({ ...colima.vm, runtime: { name: 'colima', socket: '/s' } })).toBe('none');
});

describe('the VM that is followed', () => {
  const own = vmOf(5);
  const leftOver = vmOf(4);
  const strangers = { ...vmOf(6), uid: 502 };
  const vms = seen({ vm: own, others: [leftOver, strangers] });
  const socket = `${home}/.colima/default/docker.sock`;
  const desktop = { vm: own, runs: true };
  const follow = (runtimes: Runtimes | undefined, context = 'auto') =>
    followedVm(configSchema.parse({ docker: { context } }), vms, runtimes);

  test('is Docker Desktop’s where nothing else is to be had, as it always was', () => {
    const asEver = { vm: seen(own), others: [leftOver, strangers] };
    expect(follow(undefined)).toEqual(asEver);
    expect(follow(sight([colima], contextAt(socket), desktop))).toEqual(asEver);
    const blind = unknown('ps hangs');
    expect(followedVm(configSchema.parse({}), blind, undefined)).toEqual({ vm: blind, others: [] });
  });

  test('is the named one’s, and Docker Desktop’s own are not left over from it', () => {
    expect(follow(sight([colima], contextAt(socket), desktop), 'colima')).toMatchObject({
      vm: { value: { id: '11@then', runtime: { name: 'colima', socket } } },
      others: [strangers],
    });
  });

  test('is none where the named one is not there, and unknown where its context is', () => {
    const runtimes = sight([], null, desktop);
    expect(follow(runtimes, 'colima').vm).toEqual(seen(null));
    expect(follow({ ...runtimes, context: unknown('late') }, 'colima').vm).toEqual(unknown('late'));
  });
});

describe('docker’s context is read', () => {
  const user = { name: 'person', uid: 501, gid: 20, home };
  async function readBy(parts: {
    context?: string;
    desktop?: Runtimes['desktop'];
    machines?: readonly Machine[];
    user?: null;
  }): Promise<{ reads: unknown[]; runtimes: Runtimes | undefined }> {
    const reads: unknown[] = [];
    const runtimes = await observeRuntimes({
      config: configSchema.parse({ docker: { context: parts.context ?? 'auto' } }),
      user: parts.user === null ? null : user,
      desktop: parts.desktop ?? none,
      machines: parts.machines ?? [],
      contexts: {
        read: (...asked) => {
          reads.push(asked);
          return Promise.resolve(seen(contextAt('/s')));
        },
      },
    });
    return { reads, runtimes };
  }

  test.each([
    ['Docker Desktop runs alone', { desktop: { vm: vmOf(5), runs: true } }],
    ['Docker Desktop runs beside colima', { desktop: { vm: vmOf(5), runs: true }, machines: [colima] }],
    ['Docker Desktop sleeps beside colima', { desktop: { vm: null, runs: true }, machines: [colima] }],
    ['nothing runs', {}],
    ['OrbStack runs', { machines: [orbstack] }],
    ['nobody is logged in', { user: null, context: 'colima' }],
  ])('by nobody while %s', async (_what, parts) => {
    expect((await readBy(parts)).reads).toEqual([]);
  });

  test('for the VMs that are there, the current one or by its name', async () => {
    const auto = await readBy({ machines: [colima, lima] });
    expect(auto.reads).toEqual([[user, null, ' 11@then 15@then']]);
    expect(auto.runtimes?.context).toEqual(seen(contextAt('/s')));
    const named = await readBy({ context: 'colima', desktop: { vm: vmOf(5), runs: true } });
    expect(named.reads).toEqual([[user, 'colima', '5@then']]);
  });
});
