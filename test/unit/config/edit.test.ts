import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { setConfigValues } from '../../../config/edit.js';
import { parseConfig } from '../../../config/parse.js';

describe('setConfigValues', () => {
  test.each([
    ['', 'restartDocker', 'ask', 'restartDocker = "ask"\n'],
    ['', 'tap.mtu', '1400', '[tap]\nmtu = 1400\n'],
    ['[tap]\nmtu = 1500 # usual\n', 'tap.mtu', '1400', '[tap]\nmtu = 1400 # usual\n'],
    ['[tap] # ours\n\n[log]\n', 'tap.mtu', '1400', '[tap] # ours\nmtu = 1400\n\n[log]\n'],
    [
      '[tap]\ndevice = "tap2"\n\n# logs\n[log]\n',
      'tap.mtu',
      '1400',
      '[tap]\ndevice = "tap2"\nmtu = 1400\n\n# logs\n[log]\n',
    ],
    [
      '# mine\n[log]\nlevel = "info"\n',
      'restartDocker',
      'never',
      'restartDocker = "never"\n\n# mine\n[log]\nlevel = "info"\n',
    ],
    ['tap.device = "tap2"\n', 'tap.mtu', '1400', 'tap.device = "tap2"\ntap.mtu = 1400\n'],
    ['tap = { device = "tap2" }\n', 'tap.mtu', '1400', 'tap = { mtu = 1400, device = "tap2" }\n'],
    ['tap = {}\n', 'tap.mtu', '1400', 'tap = { mtu = 1400 }\n'],
    ['restartDocker = "ask"', 'log.level', '"debug"', 'restartDocker = "ask"\n\n[log]\nlevel = "debug"\n'],
    ['[log]\r\nlevel = "info"\r\n', 'log.maxFiles', '3', '[log]\r\nlevel = "info"\r\nmaxFiles = 3\r\n'],
    [
      '',
      'routes.force',
      '172.18.0.0/16, 10.1.0.0/16',
      '[routes]\nforce = ["172.18.0.0/16", "10.1.0.0/16"]\n',
    ],
    ['[routes]\nforce = [\n "172.18.0.0/16", # VPN\n]\n', 'routes.force', '[]', '[routes]\nforce = []\n'],
    ['', 'docker.app', '/123', '[docker]\napp = "/123"\n'],
  ])('%j with %s = %s', (text, key, value, expected) => {
    expect(setConfigValues(text, [[key, value]])).toBe(expected);
  });

  test.each([
    ['', 'tap.devce', 'tap2', /did you mean tap\.device/],
    ['', 'guest.image', 'alpine', /guest\.image: it is no longer needed/],
    ['', 'guest.pull', 'true', /guest\.pull: it is no longer needed/],
    ['', 'tap', '1', /tap: it is a group of keys: tap\.device, tap\.mac, /],
    ['', 'Tap', '1', /did you mean tap\?/],
    ['', 'tap.mtu', '9000', /576 to 1500/],
    ['', 'tap.mtu', 'many', /576 to 1500/],
    ['', 'shim.manage', 'yes', /true or false/],
    ['', 'tap.mtu', '1400\n[log]', /576 to 1500/],
    ['[tap]\nprefix = 99\n', 'tap.mtu', '1400', /prefix/],
    ['', 'tap.peer', '10.0.75.1', /another address/],
  ])('%j refuses %s = %j', (text, key, value, message) => {
    expect(() => setConfigValues(text, [[key, value]])).toThrow(message);
  });

  test('of the comments only those within the list that is replaced go with it', () => {
    const list = '# why\nforce = [ # all\n "172.18.0.0/16", # VPN\n] # mine\n';
    expect(setConfigValues(`[routes]\n${list}`, [['routes.force', '10.1.0.0/16']])).toBe(
      '[routes]\n# why\nforce = ["10.1.0.0/16"] # mine\n',
    );
  });

  test('a refusal speaks of the value, not of a file that is fine and of lines that it does not have', () => {
    expect(() => setConfigValues('', [['tap.mtu', '9000']])).toThrow(
      /^nothing is changed:\n {2}tap\.mtu = 9000 is not allowed; it must be a whole number from 576 to 1500$/,
    );
    expect(() => setConfigValues('', [['tap.mtu', 'many']])).toThrow(/^nothing is changed:/);
    expect(() => setConfigValues('[tap\n', [['tap.mtu', '1400']])).toThrow(/cannot be used.*\n {2}line 1: /);
  });

  test('a file that cannot be used is said to be the reason, with the line, unless this mends it', () => {
    const broken = '[log]\nfoo = 1\n\n[tap]\nprefix = 99\n';
    expect(() => setConfigValues(broken, [['log.level', 'debug']])).toThrow(
      /^nothing is changed: \S+config\.toml has to be put right by hand first:\n {2}line 2: log\.foo: /,
    );
    expect(() => setConfigValues('[tap]\nprefix = 99\n', [['tap.prefix', '30']])).not.toThrow();
  });

  test('what is valid only together is set together', () => {
    const ends = [
      ['tap.address', '192.168.255.253'],
      ['tap.peer', '192.168.255.254'],
    ] as const;
    expect(setConfigValues('', ends)).toBe('[tap]\naddress = "192.168.255.253"\npeer = "192.168.255.254"\n');
    for (const end of ends) expect(() => setConfigValues('', [end])).toThrow(/tap\.peer/);
  });

  test('what was set is in force, whatever was set before, and every comment stays', () => {
    const edits: fc.Arbitrary<[string, string][]> = fc.array(
      fc.oneof<fc.Arbitrary<[string, string]>[]>(
        fc.tuple(fc.constant('tap.mtu'), fc.integer({ min: 576, max: 1500 }).map(String)),
        fc.tuple(fc.constant('log.level'), fc.constantFrom('debug', 'warn')),
        fc.tuple(fc.constant('restartDocker'), fc.constantFrom('ask', 'never')),
        fc.tuple(fc.constant('shim.manage'), fc.constantFrom('true', 'false')),
        fc.tuple(
          fc.constant('docker.app'),
          fc.string({ minLength: 1 }).map((tail) => `/${tail}`),
        ),
      ),
      { maxLength: 8 },
    );
    const start = fc.constantFrom(
      '',
      '# top\n',
      '# top\n[log] # log\n# below\nmaxFiles = 2\n# end',
      'tap.prefix = 30 # p',
    );
    fc.assert(
      fc.property(start, edits, (text, changes) => {
        const result = setConfigValues(text, changes);
        const config = parseConfig(result, 'config.toml') as unknown as Record<
          string,
          Record<string, unknown>
        >;
        for (const [key, value] of new Map(changes)) {
          const [section = '', name] = key.split('.');
          const found: unknown = name === undefined ? config[section] : config[section]?.[name];
          expect(String(found)).toBe(value);
        }
        for (const comment of text.match(/#[^\n]*/g) ?? []) expect(result).toContain(comment);
      }),
    );
  });
});
