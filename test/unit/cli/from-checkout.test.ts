/** `npx --no-install tuntapctl …` in a built checkout: read the shim before anything is installed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { configSchema } from '../../../config/schema.js';
import { renderShim } from '../../../daemon/docker-app/shim.js';

test('npx prints the shim as it would be installed, without a network', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'npx-'));
  try {
    const { stdout } = await promisify(execFile)('npx', ['--no-install', 'tuntapctl', 'shim', 'show'], {
      env: { ...process.env, npm_config_cache: cache, npm_config_offline: 'true' },
    });
    const { tap, shim } = configSchema.parse({});
    expect(stdout).toBe(renderShim({ device: tap.device, mac: tap.mac, wait: shim.wait }));
    expect(stdout).toMatch(/^#!\/bin\/sh\n# tuntapd hyperkit shim\. /);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}, 60_000);
