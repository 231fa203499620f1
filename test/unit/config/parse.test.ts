import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { ConfigError } from '../../../config/load.js';
import { allowedAt, configJsonSchema, describeConfig, nearestKey } from '../../../config/keys.js';
import { parseConfig } from '../../../config/parse.js';
import { outlineToml } from '../../../config/toml-outline.js';

const problems = (text: string) => {
  try {
    parseConfig(text, 'config.toml');
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('parseConfig', () => {
  test('an empty file gives the defaults', () => {
    const config = parseConfig('', 'config.toml');
    expect(config.tap).toEqual({
      device: 'tap1',
      mac: '02:74:75:6e:74:61',
      address: '10.0.75.1',
      peer: '10.0.75.2',
      prefix: 30,
      mtu: 1500,
    });
    expect(config.restartDocker).toBe('auto');
  });

  test('names every problem with key, line, value and what is allowed', () => {
    const text = [
      'restartDocker = "sometimes"',
      'colour = true',
      '[tap]',
      '# the MTU',
      'mtu = 9000',
      'devce = "tap2"',
      '[routes]',
      'allow = [',
      '  "10.0.0.0/8",',
      '  "ten",',
      ']',
    ].join('\n');
    expect(problems(text)).toEqual([
      { key: 'restartDocker', line: 1, value: '"sometimes"', message: 'one of "auto", "ask", "never"' },
      { key: 'colour', line: 2, value: null, message: 'there is no such key' },
      { key: 'tap.mtu', line: 5, value: '9000', message: 'a whole number from 576 to 1500' },
      { key: 'tap.devce', line: 6, value: null, message: 'there is no such key; did you mean tap.device?' },
      { key: 'routes.allow[1]', line: 10, value: '"ten"', message: 'an IPv4 network, like 172.16.0.0/12' },
    ]);
  });

  test('keys of an earlier version are told to be no longer needed', () => {
    expect(problems('[guest]\nimage = "alpine"\npull = false\n')).toEqual([
      { key: 'guest.image', line: 2, value: null, message: expect.stringMatching(/no longer needed.*own/) },
      { key: 'guest.pull', line: 3, value: null, message: expect.stringMatching(/no longer needed.*pulled/) },
    ]);
  });

  test.each([
    ['wrong entries', `[routes]\nforce = [${'"ten",\n'.repeat(20_000)}]\n`],
    ['unknown keys', Array.from({ length: 20_000 }, (_, index) => `key${index} = 1\n`).join('')],
    ['a key of a million letters', `${'k'.repeat(1_000_000)} = 1\n`],
  ])('a file of nothing but %s is judged in a moment, and told in a few lines', (_name, text) => {
    const begin = performance.now();
    const [last, ...others] = problems(text).toReversed();
    expect(performance.now() - begin).toBeLessThan(5000);
    expect(others.length).toBeLessThanOrEqual(20);
    if (others.length > 0) expect(last?.message).toBe('and 19980 more that are wrong');
    expect(JSON.stringify([last, ...others]).length).toBeLessThan(5000);
  });

  test.each([
    ['a = ', 1, /not TOML/],
    ['[tap]\nmtu = 1\nmtu = 2', 3, /not TOML/],
    ['__proto__ = 1', 1, /unsafe/],
  ])('%j is no TOML, at its line', (text, line, message) => {
    expect(problems(text)).toEqual([
      expect.objectContaining({ line, message: expect.stringMatching(message) }),
    ]);
  });

  test.each([
    ['peer = "10.0.75.1"', 'tap.peer'],
    ['peer = "10.0.75.3"', 'tap.peer'],
    ['peer = "10.0.76.2"', 'tap.peer'],
    ['address = "10.0.75.0"', 'tap.address'],
    ['address = "127.0.0.1"\npeer = "127.0.0.2"', 'tap.address'],
  ])('the two ends must be different hosts of one network: %s', (lines, key) => {
    expect(problems(`[tap]\n${lines}`).map((problem) => problem.key)).toEqual([key]);
  });

  test.each([
    ['prefix = 32', ['tap.prefix']],
    ['prefix = 0', ['tap.prefix']],
    ['address = "ten"', ['tap.address']],
    ['peer = 10', ['tap.peer']],
    ['mtu = 1\npeer = "10.0.76.2"', ['tap.mtu', 'tap.peer']],
  ])('nothing else is blamed for what is wrong by itself: %s', (lines, keys) => {
    expect(problems(`[tap]\n${lines}`).map((problem) => problem.key)).toEqual(keys);
  });

  test.each([
    ['peer = "fd3e:d10f:52ef:75::1"', ['ipv6.peer']],
    ['peer = "fd3e:d10f:52ef:76::2"', ['ipv6.peer']],
    ['peer = "fd3e:d10f:52ef:75::"', ['ipv6.peer']],
    ['address = "fd3e:d10f:52ef:75::"', ['ipv6.address']],
    ['address = "fe80::1"\npeer = "fe80::2"', ['ipv6.address']],
    ['address = "ff02::1"\npeer = "ff02::2"', ['ipv6.address']],
    ['address = "::1"\npeer = "::2"', ['ipv6.address']],
    ['address = "10.0.75.1"', ['ipv6.address']],
    ['prefix = 128', ['ipv6.prefix']],
    ['prefix = 60\npeer = "fd00::1"', ['ipv6.prefix']],
    ['allow = ["10.0.0.0/8"]', ['ipv6.allow[0]']],
    ['allow = ["fc00::"]', ['ipv6.allow[0]']],
    ['minPrefix = 8', ['ipv6.minPrefix']],
    ['manage = "yes"', ['ipv6.manage']],
  ])('what is wrong of IPv6 is blamed on its key: %s', (lines, keys) => {
    expect(problems(`[ipv6]\n${lines}`).map((problem) => problem.key)).toEqual(keys);
  });

  test.each([
    '[ipv6]\naddress = "FD12:3456::A"\npeer = "fd12:3456::b"\nprefix = 64',
    '[ipv6]\nmanage = false\nallow = ["2001:db8::/32", "fc00::/7"]\nminPrefix = 64',
    '[routes]\nforce = ["fd00:dead::/64", "172.18.0.0/16"]',
  ])('%j is fine', (text) => {
    expect(problems(text)).toEqual([]);
  });

  test('another pair is fine', () => {
    expect(problems('tap = { address = "192.168.9.1", peer = "192.168.9.77", prefix = 24 }')).toEqual([]);
  });
});

describe('nearestKey', () => {
  test.each([
    ['tap.devce', 'tap.device'],
    ['restart_docker', 'restartDocker'],
    ['tap.adress', 'tap.address'],
    ['mtu', 'tap.mtu'],
    ['rotues', 'routes'],
    ['somethingElse', null],
  ])('%s -> %s', (key, nearest) => {
    expect(nearestKey(key)).toBe(nearest);
  });
});

test('every key has a description and says what is allowed; the JSON Schema knows every key', () => {
  const schema = JSON.stringify(configJsonSchema());
  expect(schema).not.toContain('"allowed"');
  for (const { key, description, allowed } of describeConfig()) {
    expect(description).not.toBe('');
    expect(allowed).toBe(allowedAt(key.split('.')));
    expect(schema).toContain(`"${key.split('.').at(-1) ?? ''}"`);
  }
});

const name = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}$/),
  fc.constantFrom('a.b', 'with "quotes"', '#', ''),
);
const scalar = fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.boolean(), fc.string({ unit: 'grapheme' }));
const { tree } = fc.letrec<{ tree: Record<string, unknown>; value: unknown }>((tie) => ({
  tree: fc.dictionary(name, tie('value'), { maxKeys: 4, depthIdentifier: 'd' }),
  value: fc.oneof(
    { depthIdentifier: 'd', maxDepth: 3 },
    scalar,
    fc.array(scalar, { maxLength: 3 }),
    tie('tree'),
  ),
}));

const leaves = (value: unknown, path: (string | number)[] = []): string[] => {
  if (Array.isArray(value)) return value.flatMap((inner, index) => leaves(inner, [...path, index]));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
  return [JSON.stringify(path)];
};

describe('outlineToml', () => {
  test('finds exactly the values that the parser finds, at their text', () => {
    fc.assert(
      fc.property(tree, (document) => {
        const text = stringify(document);
        const found = outlineToml(text).entries.filter(({ kind }) => kind === 'scalar');
        expect(found.map(({ path }) => JSON.stringify(path)).sort()).toEqual(leaves(parse(text)).sort());
        for (const { path, start, end } of found) {
          const value = path.reduce<unknown>(
            (at, step) => (at as Record<string, unknown>)[step],
            parse(text),
          );
          expect(parse(`x = ${text.slice(start, end)}`)['x']).toEqual(value);
        }
      }),
    );
  });

  test('every form of string, comments between elements, dates, repeated tables', () => {
    const text = [
      'a = """one "two" # three\n"""" # comment',
      "b.'c d' = '''x\n'y'''",
      'd = [ 1, # ] not the end',
      '  { e = 2, f = "}" }, ]',
      'g = 2026-01-02 03:04:05Z # when',
      '[[h]]',
      'i = 1',
      '[[h]]',
      'i = 2',
    ].join('\n');
    const { entries } = outlineToml(text);
    expect(
      entries
        .filter(({ kind }) => kind === 'scalar')
        .map(({ path, start, end }) => [path, text.slice(start, end)]),
    ).toEqual([
      [['a'], '"""one "two" # three\n""""'],
      [['b', 'c d'], "'''x\n'y'''"],
      [['d', 0], '1'],
      [['d', 1, 'e'], '2'],
      [['d', 1, 'f'], '"}"'],
      [['g'], '2026-01-02 03:04:05Z'],
      [['h', 0, 'i'], '1'],
      [['h', 1, 'i'], '2'],
    ]);
  });
});
