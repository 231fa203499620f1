import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'plist';
import { daemonPlist, renderPlist } from '../../../launchd/io.github.tuntapd.plist.js';
import { layoutAt } from '../../../daemon/lib/layout.js';

test('the daemon’s plist says what launchd is to do, by absolute paths and without an environment', () => {
  expect(parse(renderPlist(daemonPlist(layoutAt())))).toEqual({
    Label: 'io.github.tuntapd',
    ProgramArguments: ['/opt/tuntapd/bin/tuntapd', '/opt/tuntapd/lib/tuntapd.mjs'],
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: 10,
    ExitTimeOut: 20,
    StandardErrorPath: '/var/log/tuntapd/launchd.log',
    SoftResourceLimits: { NumberOfFiles: 1024 },
    Umask: 23,
  });
});

test('booleans are empty elements: launchd refuses <true></true>', () => {
  expect(renderPlist({ RunAtLoad: true, Other: false })).toMatch(/<true\/>[^]*<false\/>/);
});

test('whatever text is in it, a parser reads the same values again', () => {
  const text = fc
    .string({ unit: 'grapheme-ascii' })
    .filter((value) => value.trim() === value && value !== '');
  const key = text.filter((value) => value !== '__proto__');
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { minLength: 1 }))),
      (values) => {
        expect(parse(renderPlist(values))).toEqual({ ...values });
      },
    ),
  );
});
