/** What a file is besides its bytes survives being put aside and given back. On Linux `user.*` stands for `com.apple.*`. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import { later, live, shim } from './daemon.js';
import { hyperkit, newBundle, sha256, workerSource, workshop } from './world.js';

let work: string;

beforeAll(async () => {
  jest.spyOn(Date, 'now').mockReturnValue(later);
  work = await workshop({ worker: workerSource });
});
afterAll(() => {
  jest.restoreAllMocks();
  rmSync(work, { recursive: true, force: true });
});

function everythingOf(path: string) {
  const { ino, uid, gid, mode, size, mtimeNs } = lstatSync(path, { bigint: true });
  // The first line names the file.
  const attributes = execFileSync('getfattr', ['--dump', '--absolute-names', path], { encoding: 'utf8' });
  return {
    ino,
    uid,
    gid,
    mode,
    size,
    mtimeNs,
    attributes: attributes.split('\n').slice(1),
    content: sha256(readFileSync(path)),
  };
}

test.each([
  ['the console user', { uid: 501, gid: 20 }, 20, 0o755],
  ['another user, group and mode', { uid: 502, gid: 20 }, 80, 0o775],
  ['root', { uid: 0, gid: 0 }, 80, 0o755],
])(
  'of a bundle that belongs to %s',
  async (who, owner, gid, mode) => {
    const base = newBundle(join(work, who.replaceAll(/\W/g, '-')), owner);
    const path = join(base, hyperkit);
    chownSync(path, owner.uid, gid);
    chmodSync(path, mode);
    for (const [name, value] of [
      ['user.com.apple.quarantine', '0181;5f2b6c00;Docker;'],
      ['user.com.apple.provenance', '0x0102000102'],
    ] as const)
      execFileSync('setfattr', ['--name', name, '--value', value, path]);
    utimesSync(path, 1_500_000_000, 1_500_000_000.25);
    const before = everythingOf(path);
    expect(before.attributes).toContain('user.com.apple.quarantine="0181;5f2b6c00;Docker;"');
    const ask = childIn(join(work, 'worker.mjs'));

    expect(await live({ base, wanted: 'up', ask })).toEqual([]);
    expect(readFileSync(path, 'utf8')).toBe(shim);
    expect(lstatSync(path)).toMatchObject({ uid: owner.uid, mode: 0o100755 });
    expect(everythingOf(`${path}.original`)).toEqual(before);

    expect(await live({ base, wanted: 'restored', ask })).toEqual([]);
    expect(everythingOf(path)).toEqual(before);
  },
  60_000,
);
