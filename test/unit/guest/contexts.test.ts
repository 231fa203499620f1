/** docker's contexts of a user: read by a child that is that user, and no more often than something changes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { contextsBy, createContexts } from '../../../daemon/guest/contexts.js';
import { createSettings } from '../../../daemon/guest/settings.js';
import { workshop } from '../../product/bundle-crash/world.js';

const isRoot = process.getuid?.() === 0;
const owner = isRoot ? { uid: 501, gid: 20 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
let tools: string;
let home: string;

beforeAll(async () => {
  tools = await workshop({ worker: 'daemon/guest/context-worker.ts' });
});

afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'home-')));
  chmodSync(home, 0o700);
  chownSync(home, owner.uid, owner.gid);
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

function put(path: string, text: string): void {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, text);
}
const config = (text: string): void => {
  put('.docker/config.json', text);
};
const metaOf = (name: string): string =>
  `.docker/contexts/meta/${createHash('sha256').update(name).digest('hex')}/meta.json`;
const context = (name: string, host: unknown): void => {
  put(metaOf(name), JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker: { Host: host } } }));
};

const ask = (name: string | null) => contextsBy(join(tools, 'worker.mjs'))({ ...owner, home, name });

describe('the child', () => {
  test('tells the current context, and where its socket really lies', async () => {
    put('.colima/default/docker.sock', '');
    symlinkSync('.colima', join(home, 'c'));
    config(JSON.stringify({ auths: {}, currentContext: 'colima' }));
    const host = `unix://${home}/c/default/docker.sock`;
    context('colima', host);
    expect(await ask(null)).toEqual({
      ok: true,
      context: { name: 'colima', host, socket: join(home, '.colima/default/docker.sock') },
    });
  });

  test.each([
    ['there is no file', null],
    ['none is named', '{"auths":{}}'],
    ['it is named', '{"currentContext":"default"}'],
    ['the name is empty', '{"currentContext":""}'],
  ])('takes docker’s own default where %s', async (_what, text) => {
    if (text !== null) config(text);
    expect(await ask(null)).toMatchObject({
      ok: true,
      context: { name: 'default', host: 'unix:///var/run/docker.sock' },
    });
  });

  test('tells one by its name, of a socket that is not there yet and of another computer', async () => {
    context('rd', `unix://${home}/.rd/docker.sock`);
    context('far', 'ssh://build.example');
    expect(await ask('rd')).toMatchObject({ context: { name: 'rd', socket: join(home, '.rd/docker.sock') } });
    expect(await ask('far')).toMatchObject({ context: { host: 'ssh://build.example', socket: null } });
    expect(await ask('other')).toEqual({ ok: true, context: null });
  });

  test('says of a socket that is not there yet that it may come to lie elsewhere', async () => {
    symlinkSync('.rd/docker.sock', join(home, 'docker.sock'));
    const host = `unix://${home}/docker.sock`;
    context('rd', host);
    expect(await ask('rd')).toEqual({
      ok: true,
      context: { name: 'rd', host, socket: join(home, 'docker.sock') },
      unmade: true,
    });
    put('.rd/docker.sock', '');
    expect(await ask('rd')).toEqual({
      ok: true,
      context: { name: 'rd', host, socket: join(home, '.rd/docker.sock') },
    });
  });

  test.each<[string, () => void, RegExp]>([
    [
      'no JSON',
      () => {
        config('{');
      },
      /JSON/,
    ],
    [
      'a list',
      () => {
        config('[]');
      },
      /object/,
    ],
    [
      'another kind of name',
      () => {
        config('{"currentContext":7}');
      },
      /string/,
    ],
    [
      'a folder',
      () => {
        mkdirSync(join(home, '.docker/config.json'), { recursive: true });
      },
      /regular file/,
    ],
    [
      'too large',
      () => {
        config(' '.repeat(2_000_000));
      },
      /more than/,
    ],
    [
      'a FIFO',
      () => {
        mkdirSync(join(home, '.docker'));
        spawnSync('mkfifo', ['-m', '666', join(home, '.docker/config.json')]);
      },
      /regular file/,
    ],
    [
      'a device',
      () => {
        mkdirSync(join(home, '.docker'));
        symlinkSync('/dev/zero', join(home, '.docker/config.json'));
      },
      /regular file/,
    ],
    [
      'a context without an endpoint',
      () => {
        config('{"currentContext":"x"}');
        put(metaOf('x'), '{"Name":"x","Endpoints":{}}');
      },
      /docker/,
    ],
  ])('refuses %s at once', async (_what, make, why) => {
    make();
    expect(await ask(null)).toMatchObject({ ok: false, message: expect.stringMatching(why) as unknown });
  });

  test('says nothing of what stands in a file that is no JSON', async () => {
    config('{"auths":{"registry":{"auth":"c2VjcmV0"}},c2VjcmV0');
    expect(await ask(null)).toEqual({ ok: false, message: `${home}/.docker/config.json is no JSON` });
  });

  const asRoot = isRoot ? test : test.skip;
  asRoot('reads nothing that the user himself may not', async () => {
    const secret = mkdtempSync(join(tmpdir(), 'secret-'));
    writeFileSync(join(secret, 'config.json'), '{"currentContext":"stolen"}', { mode: 0o600 });
    try {
      symlinkSync(secret, join(home, '.docker'));
      expect(await ask(null)).toMatchObject({
        ok: false,
        message: expect.stringContaining('EACCES') as unknown,
      });
    } finally {
      rmSync(secret, { recursive: true });
    }
  });
});

describe('Docker Desktop’s settings', () => {
  const store = 'Library/Group Containers/group.com.docker/settings-store.json';
  const older = 'Library/Group Containers/group.com.docker/settings.json';
  const askSettings = () => contextsBy(join(tools, 'worker.mjs'))({ ...owner, home, settings: true });

  test.each<[string, Record<string, string>, boolean | null]>([
    ['a fresh install', { [store]: '{"AutoStart":false,"SettingsVersion":43}' }, false],
    ['it is on', { [store]: '{"KernelForUDP":true,"SettingsVersion":43}' }, true],
    ['it is off', { [store]: '{"KernelForUDP":false,"SettingsVersion":40}' }, false],
    ['4.27', { [older]: '{"kernelForUDP":true,"settingsVersion":35}' }, true],
    ['4.27, updated', { [older]: '{"kernelForUDP":true}', [store]: '{"SettingsVersion":43}' }, false],
    ['a file of before the setting', { [older]: '{"settingsVersion":20}' }, null],
    ['no file', {}, null],
  ])('are read as the user has them: %s', async (_what, files, kernelForUdp) => {
    for (const [path, text] of Object.entries(files)) put(path, text);
    expect(await askSettings()).toEqual({ ok: true, kernelForUdp });
  });

  test.each(['[]', '{', '{"KernelForUDP":"yes"}'])('that make no sense tell nothing: %s', async (text) => {
    put(store, text);
    expect(await askSettings()).toMatchObject({ ok: false });
  });

  test('are asked for once a VM, and nobody waits', async () => {
    let asked = 0;
    let told = 0;
    let answer: unknown = { ok: true, kernelForUdp: false };
    const settings = createSettings({
      ask: () => {
        asked += 1;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      onAnswer: () => void (told += 1),
    });
    const person = { name: 'person', uid: 501, gid: 20, home: '/Users/person' };
    expect(settings.kernelForUdp(person, '700@then')).toMatchObject({ known: false });
    await new Promise(setImmediate);
    for (let pass = 0; pass < 5; pass += 1)
      expect(settings.kernelForUdp(person, '700@then')).toEqual({ known: true, value: false });
    expect([asked, told]).toEqual([1, 1]);
    answer = new Error('EPERM');
    settings.kernelForUdp(person, '701@later');
    await new Promise(setImmediate);
    expect(settings.kernelForUdp(person, '701@later')).toEqual({ known: false, why: 'EPERM' });
    expect([asked, told]).toEqual([2, 2]);
  });
});

describe('contexts', () => {
  const user = { name: 'person', uid: 501, gid: 20, home: '/Users/person' };
  const answer = (name: string) => ({ ok: true, context: { name, host: 'unix:///s', socket: '/s' } });
  let now: number;
  let asked: number;
  let answers: () => Promise<unknown>;
  let timers: { at: number; callback: () => void }[];
  let due: number;

  const made = () =>
    createContexts({
      ask: () => {
        asked += 1;
        return answers();
      },
      onDue: () => void (due += 1),
      now: () => now,
      setTimer: (callback, milliseconds) => {
        const timer = { at: now + milliseconds, callback };
        timers.push(timer);
        return () => {
          timers = timers.filter((one) => one !== timer);
        };
      },
    });
  const passes = (milliseconds: number): void => {
    now += milliseconds;
    for (const { callback } of timers.filter(({ at }) => at <= now)) callback();
    timers = timers.filter(({ at }) => at > now);
  };

  beforeEach(() => {
    [now, asked, due, timers] = [1000, 0, 0, []];
    answers = () => Promise.resolve(answer('first'));
  });

  test('are read once, and again when user, name or VMs are others, or a change is told', async () => {
    const contexts = made();
    expect(contexts.files()).toEqual([]);
    for (let pass = 0; pass < 10; pass += 1) {
      expect(await contexts.read(user, null, 'a')).toMatchObject({ known: true, value: { name: 'first' } });
      passes(60_000);
    }
    expect(asked).toBe(1);
    expect(contexts.files()).toEqual([
      '/Users/person/.docker/config.json',
      `/Users/person/${metaOf('first')}`,
    ]);
    await contexts.read(user, null, 'a b');
    passes(60_000);
    await contexts.read({ ...user, uid: 502 }, null, 'a b');
    passes(60_000);
    await contexts.read({ ...user, uid: 502 }, 'named', 'a b');
    passes(60_000);
    expect(asked).toBe(4);
    contexts.lookAnew();
    await contexts.read({ ...user, uid: 502 }, 'named', 'a b');
    expect([asked, due]).toEqual([5, 0]);
  });

  test('are never read twice within five seconds, and not forgotten either', async () => {
    const contexts = made();
    await contexts.read(user, null, 'a');
    answers = () => Promise.resolve(answer('second'));
    for (let change = 0; change < 4; change += 1) {
      contexts.lookAnew();
      passes(1000);
      expect(await contexts.read(user, null, 'a')).toMatchObject({ value: { name: 'first' } });
    }
    expect([asked, due]).toEqual([1, 0]);
    passes(1000);
    expect(due).toBe(1);
    expect(await contexts.read(user, null, 'a')).toMatchObject({ value: { name: 'second' } });
    expect(asked).toBe(2);
  });

  test('that cannot be read are what they were, and tried again after a minute', async () => {
    const contexts = made();
    answers = () => Promise.reject(new Error('took longer than 5 s'));
    expect(await contexts.read(user, null, 'a')).toMatchObject({
      known: false,
      why: expect.stringContaining('took longer') as unknown,
    });
    passes(59_000);
    await contexts.read(user, null, 'a');
    expect([asked, due]).toEqual([1, 0]);
    answers = () => Promise.resolve(answer('first'));
    passes(1000);
    expect(due).toBe(1);
    expect(await contexts.read(user, null, 'a')).toMatchObject({ value: { name: 'first' } });
    contexts.lookAnew();
    answers = () => Promise.resolve({ ok: true, context: 'nonsense' });
    passes(60_000);
    expect(await contexts.read(user, null, 'a')).toMatchObject({ value: { name: 'first' } });
    expect(await contexts.read({ ...user, uid: 502 }, null, 'a')).toMatchObject({ known: false });
  });

  test.each([
    ['that are not there', { ok: true, context: null }],
    ['whose socket is not there', { ...answer('early'), unmade: true }],
  ])('%s are looked for again by themselves, a few times', async (_what, early) => {
    const contexts = made();
    answers = () => Promise.resolve(early);
    const second = async (): Promise<void> => {
      const before = due;
      passes(1000);
      if (due > before) await contexts.read(user, 'named', 'a');
    };
    await contexts.read(user, 'named', 'a');
    expect(contexts.files()).toContain(`/Users/person/${metaOf('named')}`);
    for (let passed = 0; passed < 5; passed += 1) await second();
    expect([asked, due]).toEqual([2, 1]);
    for (let passed = 0; passed < 3600; passed += 1) await second();
    expect([asked, due]).toEqual([7, 6]);
    contexts.lookAnew();
    answers = () => Promise.resolve(answer('made'));
    expect(await contexts.read(user, 'named', 'a')).toMatchObject({ value: { name: 'made' } });
    for (let passed = 0; passed < 3600; passed += 1) await second();
    expect([asked, due]).toEqual([8, 6]);
  });

  test('that nobody answers for keep nobody waiting, and no second child beside the first', async () => {
    const contexts = made();
    let tell: (said: unknown) => void = () => undefined;
    answers = () => new Promise((resolve) => (tell = resolve));
    const read = contexts.read(user, null, 'a');
    passes(1000);
    expect(await read).toMatchObject({
      known: false,
      why: expect.stringContaining('not answered') as unknown,
    });
    for (let minute = 0; minute < 60; minute += 1) {
      passes(60_000);
      contexts.lookAnew();
      expect(await contexts.read(user, null, `a ${minute}`)).toMatchObject({ known: false });
    }
    expect([asked, due]).toEqual([1, 0]);
    tell(answer('late'));
    await new Promise(setImmediate);
    expect(due).toBe(1);
    answers = () => Promise.resolve(answer('later'));
    expect(await contexts.read(user, null, 'a')).toMatchObject({ value: { name: 'late' } });
    passes(5000);
    expect(await contexts.read(user, null, 'a')).toMatchObject({ value: { name: 'later' } });
  });

  test('of another user are read while a child of the first one’s does not end', async () => {
    const contexts = made();
    answers = () => new Promise(() => undefined);
    const read = contexts.read(user, null, 'a');
    passes(1000);
    await read;
    passes(5000);
    answers = () => Promise.resolve(answer('other'));
    expect(await contexts.read({ ...user, uid: 502 }, null, 'a')).toMatchObject({ value: { name: 'other' } });
  });
});
