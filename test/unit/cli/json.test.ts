/** docs/json.schema.json: what programs read of `tuntapctl … --json` is as it says, for every command. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import * as z from 'zod';
import type { Io } from '../../../cli/io.js';
import { jsonSchema } from '../../../cli/json-schema.js';
import { programOf } from '../../../cli/main.js';
import { answerOfRemoval } from '../../../launchd/removal.js';
import { healthyStatus } from './scenes.js';
import { type Stage, stage } from './stage.js';

const page = readFileSync(join(import.meta.dirname, '../../../docs/json.schema.json'), 'utf8');
const { $defs: definitions } = JSON.parse(page) as { $defs: Record<string, object> };
/** A validator of the page as it is published, that knows nothing of the source. */
const schemaOf = (name: string) => z.fromJSONSchema(definitions[name] as z.core.JSONSchema.JSONSchema);

let mac: Stage;
beforeEach(async () => {
  mac = await stage();
});
afterEach(() => mac.end());

test('is made of the source as it is: node docs/make.mjs', () => {
  expect(JSON.parse(page)).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
});

/** The words that are typed for each definition, without `tuntapctl`; by default those of its name. */
const typed: Readonly<Record<string, () => readonly string[]>> = {
  bugreport: () => ['bugreport', '-o', join(mac.io.layout.root, 'report.tar.gz')],
  completion: () => ['completion', 'fish'],
  'config set': () => ['config', 'set', 'log.level', 'debug'],
  open: () => ['open', 'web'],
  ping: () => ['ping', 'web'],
};

/** What goes on until somebody ends it, and what another program answers: each has a test of its own. */
const others = ['status --watch', 'uninstall'];

const defined = Object.keys(definitions).flatMap((name) => /^tuntapctl (.*)$/.exec(name)?.[1] ?? []);

const withJson = (command: Command, path: readonly string[] = []): string[] =>
  command.commands.flatMap((child) => {
    const at = [...path, child.name()];
    const takesJson = child.createHelp().visibleOptions(child);
    return [
      ...(takesJson.some(({ long }) => long === '--json') ? [at.join(' ')] : []),
      ...withJson(child, at),
    ];
  });

test('every command that takes --json is defined, and no other', () => {
  const commands = withJson(programOf({} as Io, () => undefined));
  expect(commands.filter((command) => !defined.includes(command))).toEqual([]);
  expect(defined.filter((name) => !commands.includes(name.replace(/ --.*/, '')))).toEqual([]);
});

/** Takes a Mac that has everything to tell, and returns what is printed. */
async function printed(name: string): Promise<string> {
  const { io } = mac;
  await mac.daemon(healthyStatus);
  const line = { time: '2026-03-04T05:06:07.000Z', level: 'info', message: 'up', pass: 7, took: { ms: 3 } };
  await writeFile(io.logPath, `${JSON.stringify(line)}\nSegmentation fault\n`);
  await writeFile(io.layout.launchdLog, 'node: out of memory\n');
  const { out, errors } = await mac.cli([...(typed[name] ?? (() => name.split(' ')))(), '--json']);
  expect(errors).toBe('');
  return out;
}

const answersOf = (name: string, out: string): unknown[] =>
  name === 'logs'
    ? out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
    : [JSON.parse(out)];

test.each(defined.filter((name) => !others.includes(name)))(
  'tuntapctl %s is answered as it says',
  async (name) => {
    const schema = schemaOf(`tuntapctl ${name}`);
    for (const answer of answersOf(name, await printed(name)))
      expect(schema.safeParse(answer).error).toBeUndefined();
    expect(schema.safeParse({ other: 1 }).success).toBe(false);
  },
);

describe('the answers that are not always the same', () => {
  test('logs of lines that are none of the daemon’s, and of a crash', async () => {
    await writeFile(mac.io.logPath, '{"other":1}\n[1]\nnull\n');
    await writeFile(mac.io.layout.launchdLog, 'node: out of memory\n');
    const { out } = await mac.cli(['logs', '--json']);
    const lines = answersOf('logs', out);
    expect(lines).toEqual([
      { message: '{"other":1}' },
      { message: '[1]' },
      { message: 'null' },
      { message: 'node: out of memory', source: mac.io.layout.launchdLog },
    ]);
    for (const line of lines) expect(schemaOf('tuntapctl logs').safeParse(line).error).toBeUndefined();
  });

  test('names where there are none, and a version without a daemon', async () => {
    await mac.daemon({ ...healthyStatus, names: null });
    expect((await mac.cli(['names', '--json'])).out).toBe('null\n');
    expect(schemaOf('tuntapctl names').safeParse(null).success).toBe(true);
    await mac.silence();
    const version: unknown = JSON.parse((await mac.cli(['version', '--json'])).out);
    expect(version).toEqual({ tuntapctl: '1.2.3', tuntapd: null, format: 1 });
    expect(schemaOf('tuntapctl version').safeParse(version).error).toBeUndefined();
  });

  test('config set of several keys', async () => {
    const ends = ['tap.address', '192.168.255.253', 'tap.peer', '192.168.255.254'];
    const answer: unknown = JSON.parse((await mac.cli(['config', 'set', ...ends, '--json'])).out);
    expect(answer).toHaveLength(2);
    expect(schemaOf('tuntapctl config set').safeParse(answer).error).toBeUndefined();
  });

  test('config check of a file that is wrong', async () => {
    await mkdir(dirname(mac.io.configPath), { recursive: true });
    await writeFile(mac.io.configPath, '[tap]\nmtu = 1\n', { mode: 0o644 });
    const { code, out } = await mac.cli(['config', 'check', '--json']);
    expect(code).toBe(1);
    expect(schemaOf('tuntapctl config check').safeParse(JSON.parse(out)).error).toBeUndefined();
  });

  test('an error of the daemon', async () => {
    await mac.daemon(null);
    const answered = await new Promise<string>((resolve, reject) => {
      get({ socketPath: mac.io.socketPath, path: '/v1/status', agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          resolve(text);
        });
      }).on('error', reject);
    });
    expect(schemaOf('any error of the control socket').safeParse(JSON.parse(answered)).success).toBe(true);
  });

  test('status --watch, which goes on, and uninstall, which the uninstaller answers', () => {
    const schema = schemaOf('tuntapctl status --watch');
    expect(schema.safeParse(healthyStatus).error).toBeUndefined();
    const removed = schemaOf('tuntapctl uninstall');
    expect(removed.safeParse(answerOfRemoval(['hyperkit restored'])).error).toBeUndefined();
  });
});
