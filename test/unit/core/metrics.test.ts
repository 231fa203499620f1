import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Status } from '../../../daemon/api/messages.js';
import { createMeter } from '../../../daemon/runtime/meter.js';
import { madeUpStatus } from '../cli/made-up.js';

/** Samples by name and labels, as Prometheus reads the text. Throws for a line that it would refuse. */
function samplesIn(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n');
  expect(lines.pop()).toBe('');
  return new Map(
    lines.flatMap((line): [string, number][] => {
      if (/^# (HELP|TYPE) [a-z_]+ .+$/.test(line)) return [];
      const [, name, value] =
        /^([a-z_]+(?:\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})?) (-?[\d.e+-]+|NaN)$/.exec(
          line,
        ) ?? [];
      if (name === undefined) throw new Error(`no sample: ${line}`);
      return [[name, Number(value)]];
    }),
  );
}

const vm = (id: string): Partial<Status> => ({ vm: { id, pid: 1, startedAt: '', startedWithTap: true } });

test('passes, steps and VMs are counted, and the status is told in numbers', async () => {
  let now = 0;
  const meter = createMeter(() => now);
  const apply = meter.counting((step: { kind: string; ok: boolean }) =>
    step.ok ? Promise.resolve() : Promise.reject(new Error('no')),
  );
  for (const [took, id] of [
    [500, 'a'],
    [1500, 'a'],
    [0, 'b'],
  ] as const) {
    meter.begin();
    now += took;
    meter.end(madeUpStatus(vm(id)));
  }
  await apply({ kind: 'add-route', ok: true });
  await apply({ kind: 'add-route', ok: true });
  await expect(apply({ kind: 'prepare-guest', ok: false })).rejects.toThrow('no');
  expect(Object.fromEntries(samplesIn(meter.text(madeUpStatus())))).toMatchObject({
    tuntapd_passes_total: 3,
    tuntapd_pass_seconds_total: 2,
    tuntapd_vms_total: 2,
    'tuntapd_steps_total{kind="add-route",outcome="done"}': 2,
    'tuntapd_steps_total{kind="prepare-guest",outcome="failed"}': 1,
    'tuntapd_phase{phase="ready"}': 1,
    'tuntapd_phase{phase="degraded"}': 0,
    'tuntapd_condition{type="TapDevice",reason="Good"}': 1,
    'tuntapd_routes{state="routed"}': 1,
    'tuntapd_routes{state="refused"}': 1,
    'tuntapd_routes{state="foreign"}': 0,
  });
});

test('before the first look there is only what is counted', () => {
  const samples = samplesIn(createMeter(() => 0).text(null));
  expect(samples.get('tuntapd_passes_total')).toBe(0);
  expect([...samples.keys()].some((name) => name.startsWith('tuntapd_phase'))).toBe(false);
});

test('whatever others named things, each line is a sample', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (words) => {
      const conditions = [{ type: words, status: 'False' as const, reason: words, message: '', since: '' }];
      const text = createMeter(() => 0).text(madeUpStatus({ version: words, since: words, conditions }));
      expect(samplesIn(text).get('tuntapd_passes_total')).toBe(0);
    }),
  );
});
