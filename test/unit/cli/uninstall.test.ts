/** What `tuntapctl uninstall` hands over, and to whom. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { session } from './session.js';

const mac = session();
const { cli } = mac;

describe('uninstall', () => {
  test('is for root alone, who is given the line to paste', async () => {
    expect(await cli('uninstall', '--purge', '--force')).toBe(1);
    expect(mac.errors).toContain('only root removes tuntapd: sudo tuntapctl uninstall --purge --force\n');
    expect(mac.handedOver).toEqual([]);
  });

  describe('as root', () => {
    beforeEach(() => {
      mac.io = { ...mac.io, uid: 0 };
    });

    test('ends as the installed uninstaller does', async () => {
      const { cliRuntime, uninstaller } = mac.io.layout;
      for (const path of [cliRuntime, uninstaller]) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, '');
      }
      expect(await cli('uninstall', '--purge')).toBe(1);
      expect(mac.handedOver).toEqual([cliRuntime, uninstaller, 'tuntapctl', '--purge']);
      await cli('uninstall', '--json');
      expect(mac.handedOver).toEqual([cliRuntime, uninstaller, 'tuntapctl', '--json']);
    });

    test('says what is missing of an installation that cannot remove itself', async () => {
      expect(await cli('uninstall')).toBe(1);
      expect(mac.errors).toContain(
        `${mac.io.layout.cliRuntime} cannot be read, and without it tuntapd is not removed`,
      );
      expect(mac.handedOver).toEqual([]);
    });
  });
});
