/** What tuntapctl says of a command line that is wrong: which word, why, and what there is instead. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Io } from '../../../cli/io.js';
import { programOf } from '../../../cli/main.js';
import { usageError } from '../../../cli/usage-error.js';
import { healthyStatus } from './scenes.js';
import { type Stage, stage } from './stage.js';

let mac: Stage;
beforeEach(async () => {
  mac = await stage();
});
afterEach(() => mac.end());

const long = 'x'.repeat(5000);

test.each<[readonly string[], string]>([
  [[''], "unknown command ''"],
  [['logs', '--since', 'x'], "argument 'x' is invalid. It must be a time, like 10m"],
  [['logs', '--since', '2026-02-30'], "argument '2026-02-30' is invalid. It must be a time"],
  [['logs', '--since', '2026-11-27 (noon)'], 'is invalid. It must be a time'],
  [['logs', '--grep', '('], "argument '(' is invalid. It must be a regular expression"],
  [['logs', '--grep', `${long}(`], 'is invalid. It must be a regular expression'],
  [['logs', '-n', '99999999'], 'is invalid. It must be a whole number up to 9999999'],
  [
    ['completion', 'tcsh'],
    "value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.",
  ],
  [['metrics', '--json'], 'metrics are text for Prometheus, and there is no JSON of them: leave out --json'],
  [['metrics', '--jsno'], "unknown option '--jsno'"],
  [['doctor', 'TT999'], 'there is no check “TT999”: see tuntapctl doctor --list'],
  [['doctor', ''], 'there is no check “”'],
  [['doctor', 'tt\u001b[31m\n1'], 'there is no check “tt [31m 1”'],
  [['doctor', long], 'there is no check “xxx'],
  [['doctor', '--list', 'TT002', 'TT999'], 'there is no check “TT999”'],
  [['ping', ''], 'which container?'],
  [['ping', '\u001b'], 'which container?'],
  [['open', ''], 'which container?'],
  [['open', ':80'], 'which container?'],
  [['open', 'web:'], '“” is no port: a whole number from 1 to 65535'],
  [['open', 'a:b:c'], '“b:c” is no port'],
  [['open', 'http://web.docker/'], 'http://web.docker/ is a URL: give the container alone'],
  [['bugreport', '-o', ''], '--output needs the path of a file'],
  [['config', 'set', '', '1'], 'nothing is changed: “”: there is no such key'],
  [['config', 'set', long, '1'], '…: there is no such key'],
  [['config', 'set', 'log.level', 'debug', 'tap.mtu'], 'nothing is changed: tap.mtu has no value'],
  [
    ['config', 'set', 'log.level', 'debug', 'log.level', 'info'],
    'nothing is changed: log.level is given twice',
  ],
  [['help', 'nope'], "unknown command 'nope'"],
  [['help', 'config', 'nope'], "unknown command 'nope'"],
])('%j is a usage error that says so in few words', async (argv, words) => {
  const { code, out, errors } = await mac.cli(argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(errors).toMatch(/^tuntapctl: /);
  expect(errors).toContain(words);
  expect(errors.length).toBeLessThan(700);
  expect(existsSync(mac.io.configPath)).toBe(false);
});

test.each([
  [[], 2],
  [['logs', '-n', 'many'], 2],
  [['config', 'set', 'tap.mtu'], 2],
  [['config', 'set', 'tap.mtu', '1400', 'log.level'], 2],
  [['doctor', 'TT1'], 2],
  [['--help'], 0],
  [['config', '--help'], 0],
])('%j ends with %i', async (argv, wanted) => {
  const { code, out, errors } = await mac.cli(argv);
  expect(code).toBe(wanted);
  expect((wanted === 0 ? out : errors).length).toBeGreaterThan(0);
});

test.each([
  [['stauts'], 'Did you mean status?', 'tuntapctl --help'],
  [['status', '--jsno'], 'Did you mean --json?', 'tuntapctl status --help'],
  [['status', '--colour'], "unknown option '--colour'", 'tuntapctl status --help'],
  [['ping'], "missing required argument 'container'", 'tuntapctl ping --help'],
  [['config', 'set', 'log.level'], "missing required argument 'value'", 'tuntapctl config set --help'],
])('%j is answered with %j and leads to %s', async (argv, words, help) => {
  const { code, errors } = await mac.cli(argv);
  expect(code).toBe(2);
  expect(errors).toContain(words);
  expect(errors).toContain(`(see ${help})`);
});

test('whatever is quoted in a usage error, its reason is there and no character is halved', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (word) => {
      const said = usageError(
        `error: option '--grep <pattern>' argument '${word}' is invalid. It must be short`,
      );
      expect(said.endsWith('is invalid. It must be short')).toBe(true);
      expect(said).not.toMatch(/[\ud800-\udfff]/u);
    }),
  );
});

test('metrics offers no --json', async () => {
  expect((await mac.cli(['metrics', '--help'])).out).not.toContain('--json');
  expect((await mac.cli(['completion', 'fish'])).out).not.toMatch(/seen_subcommand_from metrics' -l json/);
});

describe('help', () => {
  test.each([
    ['help config set', 'config set'],
    ['config help set', 'config set'],
    ['help ping web', 'ping'],
    ['help shim', 'shim'],
  ])('%s is that of tuntapctl %s, and nothing is run', async (words, command) => {
    const { code, out } = await mac.cli(words.split(' '));
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^Usage: tuntapctl ${command} `));
  });

  test.each([['help'], ['help', 'help']])('%j is that of all', async (...argv) => {
    const { code, out } = await mac.cli(argv);
    expect({ code, out }).toEqual({ code: 0, out: (await mac.cli(['--help'])).out });
  });

  test('a container may be called help', async () => {
    await mac.daemon(healthyStatus);
    expect((await mac.cli(['ping', 'help'])).errors).toContain('no running container is called help');
  });
});

test('doctor --list of some codes has these', async () => {
  expect((await mac.cli(['doctor', '--list', 'tt002'])).out).toBe('TT002  Which macOS is it?\n');
});

describe('a report that cannot be written', () => {
  test.each([
    ['nowhere/report', 'there is no such folder'],
    ['file/report', 'there is no such folder'],
    ['file', 'it exists, and stays as it is'],
    [long, 'its name is too long'],
  ])('to %.20s says why, and what else to do', async (name, why) => {
    const path = join(mac.io.layout.root, name);
    await writeFile(join(mac.io.layout.root, 'file'), 'mine');
    const { code, errors } = await mac.cli(['bugreport', '-o', path]);
    expect(code).toBe(1);
    expect(errors).toContain(`: ${why}. Elsewhere: tuntapctl bugreport --output FILE\n`);
    expect(errors).not.toMatch(/E[A-Z]{3,}/);
    expect(await readFile(join(mac.io.layout.root, 'file'), 'utf8')).toBe('mine');
  });
});

test('a log that cannot be read is named', async () => {
  await mkdir(mac.io.logPath);
  const { code, errors } = await mac.cli(['logs']);
  expect(code).toBe(1);
  expect(errors).toContain(`${mac.io.logPath} cannot be read: `);
});

test.each([
  [200, '', 'tuntapd’s answer is not JSON: it is empty (see tuntapctl doctor TT008)'],
  [
    404,
    '{"error":{"code":"NotFound","message":"there is no GET /v1/status"}}',
    'this tuntapd cannot answer that, it may be older (tuntapctl doctor TT009): there is no GET /v1/status',
  ],
])('an answer of %i and %j is told with the check that says more', async (status, body, words) => {
  const other = createServer((_request, response) => response.writeHead(status).end(body));
  other.listen(mac.io.socketPath);
  const { code, errors } = await mac.cli(['status']);
  expect({ code, errors }).toEqual({ code: 1, errors: `tuntapctl: ${words}\n` });
  await promisify(other.close.bind(other))();
});

test('no command line, however strange, has tuntapctl throw, or tell where in its program something happened', async () => {
  const commands = programOf({} as Io, () => undefined).commands.map((command) => command.name());
  const words = fc.oneof(
    fc.constantFrom(
      '',
      '--',
      '-',
      '-h',
      '--json',
      '--help',
      'help',
      'show',
      'check',
      '--since',
      '--grep',
      '-n',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  // Those that wait, or write where they are.
  const harmless = commands.filter((command) => !['bugreport', 'logs', 'status'].includes(command));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...harmless),
      fc.array(words, { maxLength: 4 }),
      async (command, rest) => {
        const { code, errors } = await mac.cli([command, ...rest]);
        expect([0, 1, 2, 3, 4]).toContain(code);
        expect(errors).not.toMatch(/^ +at |\.[jt]s:\d|TypeError|RangeError/m);
        expect(errors).not.toContain('\u001b');
      },
    ),
    { numRuns: 200 },
  );
});
