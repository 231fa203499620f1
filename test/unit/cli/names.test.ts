/** What `tuntapctl names` lists, and what doctor asks of names. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Status } from '../../../daemon/api/messages.js';
import { resolverText } from '../../../daemon/lib/resolver-text.js';
import { condition, madeUpStatus } from './made-up.js';
import { healthyStatus } from './scenes.js';
import { session } from './session.js';

const mac = session();
const { cli, daemon, onTerminal } = mac;

describe('names', () => {
  const zone = (problems: string[] = []): Status['names'] => ({
    zone: 'docker',
    names: [
      { name: 'web', addresses: ['172.17.0.2', '172.17.0.3'], of: 'container web' },
      { name: 'web.shop', addresses: ['172.18.0.2'], of: 'service web of shop' },
    ],
    more: 3,
    problems,
  });

  test('each with its addresses and what it stands for, and who else claims one', async () => {
    await daemon(madeUpStatus({ names: zone(['web.docker is both']) }));
    expect(await cli('names')).toBe(0);
    expect(mac.out).toMatch(/^web\.docker +172\.17\.0\.2 172\.17\.0\.3 +container web\n/);
    expect(mac.out).toMatch(
      /^web\.shop\.docker +172\.18\.0\.2 +service web of shop\nand 3 more\n\n! web\.docker is both\n$/m,
    );
  });

  test('that do not work are amiss although addresses answer: status and doctor say so', async () => {
    const foreign = { ...condition('Names', 'False', 'somebody’s file'), reason: 'FileForeign' };
    await daemon(madeUpStatus({ conditions: [foreign] }));
    onTerminal({}, 200);
    expect(await cli('status')).toBe(0);
    expect(mac.out).toMatch(/✗ Names: somebody’s file\n[^]*→ See what is there: ls -l/);
    mac.out = '';
    await cli('doctor');
    expect(mac.out).toMatch(
      /✗ TT120 Do containers answer by name\?\n +FileForeign: somebody’s file\n +→ See what is there: ls -l/,
    );
  });

  test('the status shows them beside the addresses', async () => {
    await daemon(healthyStatus);
    await cli('status');
    expect(mac.out).toMatch(/ web +172\.17\.0\.2 +web\.docker\n/);
    expect(mac.out).toMatch(/ shop-web-1 +172\.18\.0\.3 +web\.shop\.docker\n/);
  });

  describe('doctor asks the server that macOS is sent to', () => {
    const served = (
      name: string,
      addresses: string[],
      status: 'True' | 'False' = 'True',
    ): Partial<Status> => ({
      names: { zone: 'docker', names: [{ name, addresses, of: `container ${name}` }], more: 0, problems: [] },
      conditions: [condition('Names', status)],
    });
    test.each<[string, Partial<Status>, string | null, string, string]>([
      [
        'it answers',
        served('web', ['172.17.0.2', '172.17.0.3']),
        resolverText(299),
        'ok',
        'web.docker is 172.17.0.2',
      ],
      [
        'it answers with what has changed since',
        served('web', ['172.17.0.9']),
        resolverText(299),
        'FAIL',
        '127.0.0.1, port 299, has 172.17.0.2 for web.docker, which is 172.17.0.9',
      ],
      [
        'it does not answer',
        served('web', ['172.17.0.2']),
        resolverText(298),
        'FAIL',
        '127.0.0.1, port 298, does not answer for web.docker (ENOTFOUND)',
      ],
      [
        'the file is not ours',
        served('web', ['172.17.0.2']),
        'nameserver 10.0.0.1\n',
        '?',
        'is not tuntapd’s',
      ],
      ['there is no file', served('web', ['172.17.0.2']), null, '?', 'ENOENT'],
      [
        'names do not work',
        served('web', ['172.17.0.2'], 'False'),
        resolverText(299),
        '?',
        'names do not work now',
      ],
      [
        'nobody has a name',
        { names: { zone: 'docker', names: [], more: 0, problems: [] } },
        null,
        'ok',
        'no container has',
      ],
      ['there are none', { names: null }, null, 'ok', 'there are to be no names'],
    ])('%s', async (_what, status, file, sign, detail) => {
      await daemon(madeUpStatus(status));
      await mkdir(mac.io.layout.resolvers, { recursive: true });
      if (file !== null) await writeFile(join(mac.io.layout.resolvers, 'docker'), file);
      await cli('doctor', 'tt012');
      expect(mac.out).toContain(`${sign} TT012 Does tuntapd’s server answer for a container’s name?\n`);
      expect(mac.out).toContain(detail);
    });

    test.each<[string, Partial<Status>, string, string]>([
      ['macOS finds it', served('web', ['172.17.0.2']), 'ok', 'web.docker is 172.17.0.2'],
      [
        'macOS has another address',
        served('web', ['172.17.0.9']),
        'FAIL',
        'macOS says that web.docker is 172.17.0.2, and not 172.17.0.9',
      ],
      ['macOS does not find it', served('db', ['172.17.0.9']), 'FAIL', 'does not find db.docker (ENOTFOUND)'],
      ['names do not work', served('web', ['172.17.0.2'], 'False'), '?', 'names do not work now'],
      ['there are none', { names: null }, 'ok', 'there are to be no names'],
    ])('to programs: %s', async (_what, status, sign, detail) => {
      await daemon(madeUpStatus(status));
      await cli('doctor', 'TT013');
      expect(mac.out).toContain(`${sign} TT013 Do programs find a container by its name?\n`);
      expect(mac.out).toContain(detail);
    });

    test.each(['TT012', 'TT013'])('of a daemon that is dead nobody knows: %s', async (code) => {
      await cli('doctor', code);
      expect(mac.out).toMatch(/^\? TT01[23] .*\n +the daemon, which knows the names, does not answer\n/);
    });
  });

  test.each<[Partial<Status>, string]>([
    [{ names: null, vm: null }, 'No container has a name (Docker’s VM does not run).\n'],
    [
      { names: null, conditions: [condition('Names', 'False', 'not served')] },
      'No container has a name (not served).\n',
    ],
    [{}, 'No container has a name (this daemon knows no names).\n'],
  ])('without any it says why', async (change, words) => {
    await daemon(madeUpStatus(change));
    expect(await cli('names')).toBe(0);
    expect(mac.out).toBe(words);
    expect(await cli('names', '--json')).toBe(0);
    expect(mac.out).toMatch(/null\n$/);
  });
});
