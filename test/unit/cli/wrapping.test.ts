import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { statusLines } from '../../../cli/status-view.js';
import { cut, wrapped } from '../../../cli/wrapping.js';
import { signsFor } from '../../../cli/signs.js';
import { configSchema } from '../../../config/schema.js';
import { registry } from '../../../daemon/api/reasons/registry.js';
import { filled, linkOf } from '../../../daemon/api/reasons/remedies.js';
import { healthyStatus } from './scenes.js';

const { tap } = configSchema.parse({});
const spansIn = (text: string): string[] => text.match(/`[^`]+`/g) ?? [];

test('what backticks enclose is never broken, with whatever follows it', () => {
  const command = '`sudo tuntapctl config set names.zone docker.test`';
  const lines = wrapped(`Have the names in another domain, which is nobody’s: ${command}. Then go on`, 60);
  expect(lines).toEqual([
    'Have the names in another domain, which is nobody’s:',
    `${command}. Then go`,
    'on',
  ]);
});

test('a backtick without a second one breaks like any other text', () => {
  expect(wrapped('somebody’s ` name is of many words here', 20)).toEqual([
    'somebody’s ` name is',
    'of many words here',
  ]);
});

test('words and blanks are those of the text', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '`', 'bc'), maxLength: 60 });
  fc.assert(
    fc.property(text, fc.integer({ min: 20, max: 60 }), (some, width) => {
      expect(wrapped(some, width).join(' ').trimStart()).toBe(some.trimStart());
    }),
  );
});

test.each([60, 80])('status breaks no command of any reason in %i columns', (width) => {
  const paint = (_colour: string, text: string): string => text;
  const signs = signsFor({ env: {} } as never, { isTTY: true, write: () => undefined });
  const link = linkOf(null, tap);
  for (const { type, reason, severity, whatToDo = [], meaning } of registry) {
    if (severity === 'fine' || severity === 'idle' || type === 'Ready') continue;
    const message =
      'it is taken: `sudo tuntapctl config set tap.address 192.168.255.253 tap.peer 192.168.255.254`';
    const conditions = [{ type, status: 'False' as const, reason, message, since: healthyStatus.since }];
    const text = statusLines(
      { ...healthyStatus, link: null, phase: 'degraded', conditions },
      { now: 0, width, paint, signs, verbose: false, tap },
    ).join('\n');
    for (const span of [message, meaning, ...whatToDo.map((each) => filled(each, link).text)].flatMap(
      spansIn,
    ))
      expect(text).toContain(span);
  }
});

test('what has no room is cut to nothing', () => {
  expect([cut('', -3), cut('', 0), cut('web', 0), cut('web', 2), cut('web', 3)]).toEqual([
    '',
    '',
    '',
    'w…',
    'web',
  ]);
});
