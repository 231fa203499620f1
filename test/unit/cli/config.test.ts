/** What `tuntapctl config` and `shim show` print, and what they write. */
import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { describeConfig } from '../../../config/keys.js';
import { parseConfig } from '../../../config/parse.js';
import { session } from './session.js';

const mac = session();
const { cli } = mac;

describe('config', () => {
  test('show, path, check, schema', async () => {
    expect(await cli('config', 'path')).toBe(0);
    expect(mac.out).toBe(`${mac.io.configPath}\n`);
    mac.out = '';
    expect(await cli('config', 'show')).toBe(0);
    expect(mac.out).toContain('tap.device = "tap1"');
    mac.out = '';
    expect(await cli('config', 'check')).toBe(0);
    expect(await cli('config', 'schema')).toBe(0);
    await writeFile(mac.io.configPath, '[tap]\nmtu = 1\n', { mode: 0o644 });
    mac.out = '';
    expect(await cli('config', 'check', '--json')).toBe(1);
    expect(JSON.parse(mac.out)).toMatchObject({ valid: false, problems: [{ key: 'tap.mtu', line: 2 }] });
    expect(await cli('config', 'check')).toBe(1);
    expect(mac.errors).toContain('line 2: tap.mtu = 1 is not allowed');
  });

  test('set edits the file and keeps comments; what is wrong changes nothing', async () => {
    await writeFile(mac.io.configPath, '# mine\n[tap]\nmtu = 1500 # usual\n', { mode: 0o644 });
    expect(await cli('config', 'set', 'tap.mtu', '1400')).toBe(0);
    expect(await cli('config', 'set', 'tap.mtu', '9000')).toBe(1);
    expect(await cli('config', 'set', 'tap.mut', '1400')).toBe(2);
    expect(mac.errors).toContain('did you mean tap.mtu?');
    expect(await cli('config', 'set', 'tap.mtu', '1300', 'log.level', 'loud')).toBe(1);
    expect(await readFile(mac.io.configPath, 'utf8')).toBe('# mine\n[tap]\nmtu = 1400 # usual\n');
  });

  test('set says from when on a change counts', async () => {
    expect(await cli('config', 'set', 'tap.device', 'tap3', 'log.level', 'debug')).toBe(0);
    expect(mac.out).toBe(
      'tap.device = "tap3"    # in force when Docker’s VM next starts\nlog.level = "debug"    # in force within ten seconds\n',
    );
  });

  test('init writes a file that changes nothing, says what every key is for, and overwrites none', async () => {
    expect(await cli('config', 'init')).toBe(0);
    const text = await readFile(mac.io.configPath, 'utf8');
    expect(parseConfig(text, 'it')).toEqual(parseConfig('', 'none'));
    const taken = text.replaceAll(/^#(?=\w+ = [^…])/gm, '');
    expect(parseConfig(taken, 'it')).toEqual(parseConfig('', 'none'));
    for (const { key } of describeConfig())
      expect(taken).toMatch(new RegExp(`^#?${key.split('.').pop()} = `, 'm'));
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(150);
    await writeFile(mac.io.configPath, '# mine\n', { mode: 0o644 });
    expect(await cli('config', 'init')).toBe(1);
    expect(await readFile(mac.io.configPath, 'utf8')).toBe('# mine\n');
  });

  test('set moves both ends of the link at once', async () => {
    const ends = ['tap.address', '192.168.255.253', 'tap.peer', '192.168.255.254'];
    expect(await cli('config', 'set', ...ends, '--json')).toBe(0);
    const told = {
      changed: true,
      inForce: 'within ten seconds; containers are out of reach until the link is made anew',
    };
    expect(JSON.parse(mac.out)).toEqual([
      { key: 'tap.address', value: '192.168.255.253', ...told },
      { key: 'tap.peer', value: '192.168.255.254', ...told },
    ]);
  });
});

test('set without root tells the line to paste, quoted for a shell', async () => {
  // Nobody makes a folder there, not even root.
  mac.io = { ...mac.io, configPath: '/sys/tuntapd/config.toml' };
  expect(await cli('config', 'set', 'routes.include', 'label=a b, $(id)*')).toBe(1);
  expect(mac.errors).toContain('only root writes /sys/tuntapd/config.toml: ');
  expect(mac.errors).toContain("sudo tuntapctl config set routes.include 'label=a b, $(id)*'\n");
});

test('shim show prints the shim of the configuration', async () => {
  await writeFile(mac.io.configPath, '[tap]\ndevice = "tap3"\n', { mode: 0o644 });
  expect(await cli('shim', 'show')).toBe(0);
  expect(mac.out).toBe('#!/bin/sh\n# tap3 02:74:75:6e:74:61 5\n');
});
