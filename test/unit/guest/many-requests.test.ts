import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { workshop } from '../../product/bundle-crash/world.js';

let tools: string;

beforeAll(async () => {
  tools = await workshop({ many: 'test/unit/guest/many-requests.ts' });
});
afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

test('many requests, sessions and commands at a time gather no listeners', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(tools, 'many.mjs')], {
    timeout: 60_000,
  });
  expect(JSON.parse(stdout)).toEqual([]);
}, 70_000);
