import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CommandResult, Run } from '../../../daemon/lib/command.js';
import { observeConsoleUser, parseConsoleUser } from '../../../daemon/mac/console-user.js';
import { parseAttribute, parseUidSearch } from '../../../daemon/mac/directory.js';

interface Session {
  readonly uid: number;
  readonly name: string;
  readonly onConsole: boolean;
}

/** `State:/Users/ConsoleUser` as scutil prints it; at the top stands the user of the last login. */
const consoleUser = (last: Omit<Session, 'onConsole'>, sessions: readonly Session[]): string =>
  `<dictionary> {
  GID : 20
  Name : ${last.name}
  SessionInfo : <array> {
${sessions
  .map(
    ({ uid, name, onConsole }, index) => `    ${index} : <dictionary> {
      kCGSSessionAuditIDKey : ${100_000 + index}
      kCGSSessionGroupIDKey : 20
      kCGSSessionIDKey : ${257 + index}
      kCGSSessionLoginwindowSafeLogin : FALSE
      kCGSSessionOnConsoleKey : ${onConsole ? 'TRUE' : 'FALSE'}
      kCGSSessionSystemSafeBoot : FALSE
      kCGSSessionUserIDKey : ${uid}
      kCGSSessionUserNameKey : ${name}
      kCGSessionLoginDoneKey : TRUE
      kCGSessionLongUserNameKey : ${name}
      kSCSecuritySessionID : ${100_000 + index}
    }
`,
  )
  .join('')}  }
  UID : ${last.uid}
}
`;

const runner = { uid: 501, name: 'runner', onConsole: true };
const vncuser = { uid: 1001, name: 'vncuser', onConsole: false };
const loginWindow = { uid: 0, name: 'loginwindow', onConsole: true };

test.each([
  ['one session', consoleUser(runner, [runner]), { uid: 501, name: 'runner' }],
  ['a later login by screen sharing', consoleUser(vncuser, [runner, vncuser]), { uid: 501, name: 'runner' }],
  ['the same the other way round', consoleUser(vncuser, [vncuser, runner]), { uid: 501, name: 'runner' }],
  ['nobody has the screen', consoleUser(vncuser, [vncuser]), { uid: 1001, name: 'vncuser' }],
  ['the login window before a session that goes on', consoleUser(vncuser, [vncuser, loginWindow]), null],
  [
    'a full name',
    consoleUser({ uid: 501, name: 'Lena Example' }, [{ ...runner, name: 'Lena Example' }]),
    { uid: 501, name: 'Lena Example' },
  ],
  [
    'a session that has no name, of the last login',
    consoleUser(runner, [runner]).replace(/^.*kCGSSessionUserNameKey.*\n/m, ''),
    { uid: 501, name: 'runner' },
  ],
  [
    'a session that has no name, of somebody else',
    consoleUser(vncuser, [runner]).replace(/^.*kCGSSessionUserNameKey.*\n/m, ''),
    null,
  ],
])('in front, %s', (_what, text, expected) => {
  expect(parseConsoleUser(text)).toEqual(expected);
});

test('whoever has the screen is in front, in whatever order the sessions stand', () => {
  const session = fc.record({
    uid: fc.oneof(fc.integer({ min: 501, max: 2 ** 31 }), fc.integer({ min: 0, max: 499 })),
    name: fc.constantFrom(
      'lena',
      'Lena Example',
      'lena@example.com',
      'loginwindow',
      '501',
      'kCGSSessionUserIDKey',
    ),
  });
  fc.assert(
    fc.property(
      session,
      fc.uniqueArray(session, { minLength: 1, maxLength: 6, selector: ({ uid }) => uid }),
      fc.nat(),
      (last, sessions, which) => {
        const front = which % sessions.length;
        const said = consoleUser(
          last,
          sessions.map((one, index) => ({ ...one, onConsole: index === front })),
        );
        const { uid, name } = sessions[front] ?? last;
        expect(parseConsoleUser(said)).toEqual(name === 'loginwindow' || uid < 500 ? null : { uid, name });
      },
    ),
  );
});

const fullRecord = `dsAttrTypeNative:accountPolicyData:
 <?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>creationTime</key>
	<real>1720819125.8711572</real>
</dict>
</plist>

dsAttrTypeNative:IsHidden: 1
AppleMetaNodeLocation: /Local/Default
NFSHomeDirectory:
 /Volumes/Users HD/Users/lena
PrimaryGroupID: 20
RealName:
 Lena Example
RecordName: lena lena@example.com
 Lena Example
UniqueID: 501
`;

test.each([
  ['NFSHomeDirectory', '/Volumes/Users HD/Users/lena'],
  ['PrimaryGroupID', '20'],
  ['UniqueID', '501'],
  ['dsAttrTypeNative:IsHidden', '1'],
  ['IsHidden', null],
])('%s of a whole record with a plist in its middle', (key, value) => {
  expect(parseAttribute(fullRecord, key)).toBe(value);
});

test('a uid is found beside a longer one and a negative one', () => {
  const text =
    'a\t\tUniqueID = (\n    5010\n)\nb\t\tUniqueID = (\n    "-501"\n)\nlena\t\tUniqueID = (\n    501\n)\n';
  expect(parseUidSearch(text, 501)).toBe('lena');
});

const answer = (stdout: string, exitCode = 0, stderr = ''): Promise<CommandResult> =>
  Promise.resolve({ stdout, stderr, exitCode });

/** A Mac whose directory has one record, `lena` with uid 501, and whose scutil says `said`. */
const macThatSays =
  (said: string): Run =>
  (file, [, verb, path, , value]) => {
    if (file === '/usr/sbin/scutil') return answer(said);
    if (verb === '-search') return answer(value === '501' ? 'lena\t\tUniqueID = (\n    501\n)\n' : '');
    return path === '/Users/lena'
      ? answer(fullRecord)
      : answer('', 56, '<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n');
  };

const lena = { name: 'lena', uid: 501, gid: 20, home: '/Volumes/Users HD/Users/lena' };

test.each(['lena', 'Lena Example', 'lena@example.com', 'lena/../root', '#0'])(
  'the uid finds the record of a user who logged in as %j, and its own name goes on',
  async (name) => {
    const mac = macThatSays(consoleUser({ uid: 501, name }, [{ uid: 501, name, onConsole: true }]));
    expect(await observeConsoleUser(mac)).toEqual({ known: true, value: lena });
  },
);

test('a user whose uid no record has is unknown, though a record has the name', async () => {
  const mac = macThatSays(consoleUser({ uid: 777, name: 'lena' }, []));
  expect(await observeConsoleUser(mac)).toMatchObject({
    known: false,
    why: expect.stringContaining('uid 501, not 777'),
  });
});
