import { afterAll, beforeAll } from '@jest/globals';
import { bootMac, type Mac, type RunResult } from './lab.js';

/** What a successful command prints that has nothing to say. */
export const silent = { stdout: '', stderr: '', exitCode: 0 };

/** For a file whose tests type on one Mac without a VM, which is booted before and ended after them. */
export function typedOnOneMac(options?: Parameters<typeof bootMac>[0]) {
  let mac: Mac;
  beforeAll(async () => {
    mac = await bootMac(options);
  }, 120_000);
  afterAll(async () => {
    await mac.end();
  });
  const sh = (line: string): Promise<RunResult> => mac.run(line.split(' '));
  return {
    mac: (): Mac => mac,
    sh,
    said: async (line: string): Promise<string> => (await sh(line)).stdout,
    /** Where the machine itself is asked. */
    socket: (): string => mac.path('/.lab/run/mac.sock'),
  };
}
