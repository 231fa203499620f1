import { expect, test } from '@jest/globals';
import { type CommandResult, CommandError, type Run } from '../../../daemon/lib/command.js';
import { openDocker, quitDocker } from '../../../daemon/mac/docker-gui.js';
import { macosVersion, parseMacosVersion } from '../../../daemon/mac/macos.js';
import { notify } from '../../../daemon/mac/notify.js';
import { readUser, userByUid } from '../../../daemon/mac/directory.js';

const user = { name: 'lena', uid: 504, gid: 20, home: '/Users/lena' };

interface Session {
  banners: { title: string; text: string }[];
  docker: 'open' | 'quit';
  run: Run;
}

const answer = (stdout = '', stderr = '', exitCode = 0): Promise<CommandResult> =>
  Promise.resolve({ stdout, stderr, exitCode });

/** The session of uid 504, into which only `launchctl asuser 504 /usr/bin/sudo -u '#504'` leads. */
function session(): Session {
  const here: Session = {
    banners: [],
    docker: 'open',
    run: (file, args) => {
      const [asuser, uid, sudo, dashU, who, program, ...words] = args;
      if (file !== '/bin/launchctl' || asuser !== 'asuser' || uid !== '504')
        return answer('', 'no session', 125);
      if (sudo !== '/usr/bin/sudo' || dashU !== '-u' || who !== '#504') return answer('', 'still root', 1);
      if (program === '/usr/bin/osascript') {
        const source: string[] = [];
        while (words[0] === '-e') source.push(words.splice(0, 2)[1] ?? '');
        if (words.some((word) => word.startsWith('-'))) return answer('', 'osascript: illegal option', 2);
        if (source.join('\n') === 'quit app "Docker"') here.docker = 'quit';
        else if (
          source.join('\n') ===
          'on run argv\ndisplay notification (item 1 of argv) with title (item 2 of argv)\nend run'
        )
          here.banners.push({ text: words[0] ?? '', title: words[1] ?? '' });
        else return answer('', 'syntax error', 1);
        return answer();
      }
      if (program === '/usr/bin/open' && words.join(' ') === '--background -a /Applications/Docker.app') {
        here.docker = 'open';
        return answer();
      }
      return answer('', `sudo: ${program ?? ''}: command not found`, 1);
    },
  };
  return here;
}

test('a notification says its words and runs none of them', async () => {
  const here = session();
  expect(await notify(user, 'tuntapd', '-e " & do shell script "id"\u202e\n', here.run)).toBe(true);
  expect(here.banners).toEqual([{ title: 'tuntapd', text: 'e " & do shell script "id"' }]);
});

test('Docker quits and opens in the user’s session', async () => {
  const here = session();
  expect(await quitDocker(user, here.run)).toEqual({ done: true });
  expect(here.docker).toBe('quit');
  expect(await openDocker(user, '/Applications/Docker.app', here.run)).toEqual({ done: true });
  expect(here.docker).toBe('open');
});

test('a session that is gone is an outcome, not an exception', async () => {
  const other = { ...user, uid: 505 };
  expect(await notify(other, 'a', 'b', session().run)).toBe(false);
  expect(await quitDocker(other, session().run)).toEqual({ done: false, why: 'no session' });
  const hangs: Run = () => Promise.reject(new CommandError('osascript: took longer than 60 s'));
  expect(await quitDocker(user, hangs)).toEqual({ done: false, why: 'osascript: took longer than 60 s' });
});

test.each([
  ['10.14.6\n', { major: 10, minor: 14 }],
  ['13.0\n', { major: 13, minor: 0 }],
  ['15\n', { major: 15, minor: 0 }],
  ['', null],
  ['ProductVersion: 12.1', null],
])('the release in %j', (text, expected) => {
  expect(parseMacosVersion(text)).toEqual(expected);
});

test('a release that cannot be read is unknown', async () => {
  expect((await macosVersion(() => answer('', 'no', 1))).known).toBe(false);
  expect(await macosVersion(() => answer('11.7.1\n'))).toEqual({
    known: true,
    value: { major: 11, minor: 7 },
  });
});

const notFound = '<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n';
/** lena has an account on this Mac; kim's is in Active Directory alone, which a login finds by /Search. */
const directory: Run = (_file, [node, verb, path, ...words]) => {
  const isLocal = node === '.';
  if (!isLocal && node !== '/Search')
    return answer('', 'Usage: dscl [options] [<datasource> [<command>]]\n', 64);
  const local = 'anna\t\tUniqueID = (\n    5040\n)\nlena\t\tUniqueID = (\n    504\n)\n';
  if (verb === '-search')
    return answer(
      words[1] === '504'
        ? local
        : words[1] === '7041' && !isLocal
          ? 'kim\t\tUniqueID = (\n    7041\n)\n'
          : '',
    );
  if (path === '/Users/lena')
    return answer('NFSHomeDirectory:\n /Volumes/Big Disk/lena\nPrimaryGroupID: 20\n');
  return path === '/Users/kim' && !isLocal
    ? answer('NFSHomeDirectory: /Users/kim\nPrimaryGroupID: 9713\n')
    : answer('', notFound, 56);
};
const lena = { name: 'lena', uid: 504, gid: 20, home: '/Volumes/Big Disk/lena' };
const kim = { name: 'kim', uid: 7041, gid: 9713, home: '/Users/kim' };

test.each([lena, kim])('a user is found by exactly the uid: %j', async (user) => {
  expect(await userByUid(user.uid, directory)).toEqual({ known: true, value: user });
  expect(await userByUid(600, directory)).toEqual({ known: true, value: null });
});

test.each([lena, kim])('and with home and group by name: %j', async (user) => {
  expect(await readUser(user, directory)).toEqual({ known: true, value: user });
  const nobody = await readUser({ name: 'nobody', uid: 600 }, directory);
  expect(nobody).toMatchObject({ known: false, why: expect.stringContaining('eDSRecordNotFound') });
});

test('a directory that fails is unknown', async () => {
  expect((await userByUid(504, () => answer('', 'down', 1))).known).toBe(false);
  const broken: Run = () => Promise.reject(new CommandError('dscl: took longer than 10 s'));
  expect((await userByUid(504, broken)).known).toBe(false);
});
