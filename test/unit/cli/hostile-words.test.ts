/** What others named things reaches no terminal as it is. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { madeUpStatus } from './made-up.js';
import { session } from './session.js';
import { answering } from './stage.js';

const mac = session();
const { cli } = mac;

/** Nothing that moves a cursor, hides or turns text round. */
const visible = (text: string): boolean =>
  !/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u.test(text.replaceAll('\n', ''));

test('whatever others named things: no command prints a control or format character, as text or JSON', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 30 });
  const nasty = fc.oneof(
    text,
    text.map((some) => `\u001b]0;${some}\u202e\u009b2J\r\u2028`),
  );
  let current = madeUpStatus();
  mac.server = await answering(mac.io.layout, {
    version: () => ({ version: current.version, pid: 1 }),
    status: () => current,
    follow: mac.feed.follow,
    metrics: () => 'tuntapd_passes_total 1\ntuntapd_info{version="\u001b[2J"} 1\n',
    up: () => Promise.resolve({ done: false, problems: [current.version] }),
    down: () => Promise.reject(new Error(current.version)),
    restart: () => Promise.resolve({ done: true, problems: [] }),
    restore: () => Promise.resolve({ done: true, problems: [] }),
    leave: () => Promise.resolve({ done: true, problems: [] }),
  });
  const commands = [
    ['status'],
    ['doctor'],
    ['routes'],
    ['names'],
    ['version'],
    ['up'],
    ['logs'],
    ['down'],
    ['stauts'],
  ];
  await fc.assert(
    fc.asyncProperty(nasty, fc.constantFrom(...commands), fc.boolean(), async (words, argv, asJson) => {
      current = madeUpStatus({
        version: words,
        since: words,
        phase: 'degraded',
        conditions: [{ type: words, status: 'False', reason: words, message: words, since: words }],
        routes: [{ subnet: words, network: words, state: 'foreign', why: words }],
        names: {
          zone: words,
          names: [{ name: words, addresses: [words], of: words }],
          more: 1,
          problems: [words],
        },
      });
      await writeFile(
        mac.io.logPath,
        `${words}\n${JSON.stringify({ time: words, level: words, message: words })}\n`,
      );
      [mac.out, mac.errors] = ['', ''];
      await cli(...argv, ...(asJson ? ['--json'] : []), ...(argv[0] === 'stauts' ? [words] : []));
      expect(visible(mac.out + mac.errors)).toBe(true);
      if (asJson && argv[0] === 'status') expect(JSON.parse(mac.out)).toEqual(current);
    }),
    { numRuns: 150 },
  );
}, 30_000);
