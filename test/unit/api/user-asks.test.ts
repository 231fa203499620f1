/** The page that maps what people ask for: each code, reason, key and command that it promises is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { checks } from '../../../cli/checks.js';
import { programOf } from '../../../cli/main.js';
import { describeConfig } from '../../../config/keys.js';
import { conditionTypes } from '../../../daemon/api/reasons/record.js';
import { entryOf, questionOf } from '../../../daemon/api/reasons/registry.js';

const page = readFileSync(join(import.meta.dirname, '../../../docs/user-asks.md'), 'utf8');
const rows = [...page.matchAll(/^\| (\d+) +\| (.*?) *\| (.*?) *\|$/gm)].map(([, number, ask, answer]) => ({
  number: Number(number),
  ask: ask ?? '',
  answer: answer ?? '',
}));

test('each of the 61 is answered', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 61 }, (_, index) => index + 1));
  expect(rows.filter(({ ask, answer }) => ask === '' || answer === '')).toEqual([]);
});

test('every code is one of doctor’s', () => {
  const codes = [...checks.map(({ id }) => id), ...conditionTypes.map((type) => questionOf(type)?.code)];
  for (const [code] of page.matchAll(/TT\d{3}/g)) expect(codes).toContain(code);
});

test('every reason is registered', () => {
  let count = 0;
  for (const { answer } of rows) {
    let type = '';
    for (const [, named, reason = ''] of answer.matchAll(/`(?:([A-Z][A-Za-z]+): )?([A-Z][A-Za-z]+)`/g)) {
      type = named ?? type;
      expect([type, reason, entryOf(type, reason) !== undefined]).toEqual([type, reason, true]);
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(20);
});

test('every key and every command is there', () => {
  const keys = describeConfig().map(({ key }) => key);
  const sections = ['tap', 'shim', 'routes', 'docker', 'log', 'guest'];
  for (const [, key = ''] of page.matchAll(/`([a-zA-Z]+(?:\.[a-zA-Z]+)?)`/g))
    if (key === 'restartDocker' || sections.includes(key.split('.')[0] ?? '')) expect(keys).toContain(key);
  const commands = programOf({} as never, () => undefined).commands.map((command) => command.name());
  for (const [, command] of page.matchAll(/tuntapctl ([a-z]+)/g)) expect(commands).toContain(command);
});
