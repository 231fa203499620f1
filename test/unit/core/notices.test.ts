/** What the user in front of the Mac is told, and that each thing is told once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configSchema } from '../../../config/schema.js';
import type { Condition, Phase } from '../../../daemon/api/messages.js';
import { blockedNotice } from '../../../daemon/core/blocked-notice.js';
import type { Bundle } from '../../../daemon/core/observation.js';
import { seen } from '../../../daemon/core/observation.js';
import { createTeller } from '../../../daemon/runtime/tell-blocked.js';
import { keepMemory } from '../../../daemon/runtime/memory.js';
import type { Log } from '../../../daemon/runtime/log.js';
import { madeUpStatus } from '../cli/made-up.js';
import { judged, plan } from './judged.js';
import { bundle, bundlesOf, config, quietMac, up } from './worlds.js';

const silent = configSchema.parse({ notifications: false });
const user = { name: 'person', uid: 501, gid: 20, home: '/Users/person' };

describe('the shim', () => {
  const shipped = bundle('mach-o', 'missing');
  const saved = { sha256: 'd1'.repeat(32), size: 1000, version: '4.1.0' };
  const ofShipped = { ...saved, sha256: shipped.target.sha256 ?? '', version: shipped.version };
  const noticeFor = (found: Bundle, by = config, mac = quietMac) =>
    plan(by, { ...mac, bundles: seen(bundlesOf([found])) }, up).flatMap((step) =>
      step.kind === 'install-shim' ? [step.notice?.text ?? null] : [],
    );

  test.each([
    ['another version', { ...shipped, saved }, 'Docker 4.1.1 has tuntapd’s script'],
    ['the same, built anew', { ...shipped, saved: { ...saved, version: '4.1.1' } }, 'Docker 4.1.1 has'],
    [
      'another version with the same hyperkit',
      { ...shipped, saved: { ...ofShipped, version: '4.1.0' } },
      '4.1.1',
    ],
    ['an unknown one', { ...shipped, version: null, saved }, 'Docker has tuntapd’s script'],
  ])('that is put back after an update to %s is told', (_what, found, text) => {
    expect(noticeFor(found)).toEqual([expect.stringContaining(text)]);
  });

  test.each([
    ['is put there for the first time', shipped],
    ['could not be put there before', { ...shipped, saved: ofShipped }],
    ['only becomes a newer one', bundle('outdated-shim', 'mach-o')],
  ])('that %s is not', (_what, found) => {
    expect(noticeFor(found)).toEqual([null]);
  });

  test('is not told where nobody sits, or nobody wants to be told', () => {
    expect(noticeFor({ ...shipped, saved }, silent)).toEqual([null]);
    expect(noticeFor({ ...shipped, saved }, config, { ...quietMac, consoleUser: seen(null) })).toEqual([
      null,
    ]);
  });
});

const refused: Condition = {
  type: 'TapDevice',
  status: 'False',
  reason: 'KextNotApproved',
  message: 'macOS does not load the kext',
  since: '2026-11-27T00:00:00.000Z',
};
const unreadable: Condition = { ...refused, type: 'Configuration', reason: 'Invalid', message: 'line 3' };
const withoutTap: Condition = {
  ...refused,
  type: 'TapAttached',
  reason: 'RestartNeeded',
  message: 'restart it',
};

const noNetwork: Condition = {
  ...withoutTap,
  reason: 'NoSharedNetwork',
  message: 'switch on kernel networking',
};
const summary: Condition = { ...refused, type: 'Ready', reason: 'AppManagement', message: 'not permitted' };

const said = (phase: Phase, ...conditions: Condition[]) => madeUpStatus({ phase, conditions });

describe('blocked', () => {
  const tell = (
    status: ReturnType<typeof said>,
    toldBlocked: readonly string[] = [],
    by = config,
    mac = quietMac,
  ) => blockedNotice(by, mac, status, { toldBlocked });

  test.each([
    [
      'is told, with its cause',
      said('blocked', refused),
      [],
      'macOS does not load the kext. What to do: tuntapctl status',
    ],
    [
      'is told again for another reason',
      said('blocked', unreadable),
      ['TapDevice KextNotApproved'],
      'line 3',
    ],
    [
      'is told by its summary where no other condition shows why',
      said('blocked', summary),
      [],
      'not permitted',
    ],
    ['is told of a VM without a network to share', said('blocked', noNetwork), [], 'kernel networking'],
    ['is told once', said('blocked', refused), ['TapDevice KextNotApproved'], null],
    ['only: what may pass by itself is not', said('degraded', refused), [], null],
    ['for want of a restart of Docker has a notice of its own', said('blocked', withoutTap), [], null],
  ])('%s', (_what, status, told, text) => {
    const { notice } = tell(status, told);
    expect(notice?.text ?? null).toEqual(text === null ? null : expect.stringContaining(text));
  });

  test('is told with the command, however long the reason is', () => {
    const long = { ...refused, message: 'why, at length '.repeat(30) };
    expect(tell(said('blocked', long)).notice?.text).toMatch(
      /^why, .{200,250}… What to do: tuntapctl status$/,
    );
  });

  test('is told to somebody', () => {
    expect(tell(said('blocked', refused)).notice?.user).toEqual(user);
    const away = tell(said('blocked', refused), [], config, { ...quietMac, consoleUser: seen(null) });
    expect(away).toEqual({ notice: null, toldBlocked: [] });
    expect(tell(said('blocked', refused), [], silent)).toEqual({ notice: null, toldBlocked: [] });
  });

  /** A daemon's life with a journal in `folder`: how it sees a status at a moment (s), and what it showed. */
  async function lifeIn(folder: string, shown: string[]) {
    let clock = 0;
    const log = { warn: () => undefined, error: () => undefined } as unknown as Log;
    const memory = await keepMemory(join(folder, 'journal.json'), log, 'tap1');
    const teller = createTeller({
      memory,
      notify: ({ uid }, title, text) => {
        shown.push(`${uid} ${title}: ${text}`);
        return Promise.resolve(true);
      },
      now: () => clock,
    });
    return {
      see: async (second: number, status: ReturnType<typeof said>) => {
        clock = second * 1000;
        teller(judged(config, quietMac, memory.now()), status);
        await memory.record({});
      },
      end: memory.close,
    };
  }

  let folder: string;
  let shown: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'notices-'));
    shown = [];
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('is told once it has lasted half a minute, and not where it passes', async () => {
    const { see, end } = await lifeIn(folder, shown);
    await see(0, said('blocked', refused));
    await see(29, said('blocked', refused));
    await see(31, said('working', refused));
    await see(32, said('blocked', refused));
    await see(50, said('blocked', unreadable));
    await see(70, said('blocked', refused));
    expect(shown).toEqual([]);
    await see(101, said('blocked', refused));
    expect(shown).toEqual([expect.stringMatching(/^501 tuntapd needs you: macOS does not load the kext/)]);
    await end();
  });

  test('is told once for as long as containers do not answer, through restarts of Docker, the Mac and the daemon', async () => {
    const blockedFrom = async (second: number, daemon: Awaited<ReturnType<typeof lifeIn>>) => {
      await daemon.see(second, said('blocked', refused));
      await daemon.see(second + 40, said('blocked', refused));
    };
    let daemon = await lifeIn(folder, shown);
    await blockedFrom(0, daemon);
    await daemon.see(50, said('working', refused));
    await blockedFrom(60, daemon);
    await daemon.see(110, said('idle', refused));
    await blockedFrom(120, daemon);
    await daemon.end();
    daemon = await lifeIn(folder, shown);
    await blockedFrom(0, daemon);
    expect(shown).toHaveLength(1);
    await daemon.see(50, said('ready'));
    await blockedFrom(60, daemon);
    expect(shown).toHaveLength(2);
    await daemon.end();
  });
});
