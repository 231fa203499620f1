/** How the lab's Docker starts com.docker.virtualization, held against what `ps` and Docker's log showed of real ones. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { virtualizationStart } from './docker/virtualization-command-line.js';

const [withOption = '', bootImage = '', desktopImage = ''] = readFileSync(
  'test/fixtures/virtualization-ps.txt',
  'utf8',
).split('\n');

const app = '/Applications/Docker.app';
/** What a person chooses in the settings. */
const chosen = (line: string): string => line.replace(/--cpus \d+ --memoryMiB \d+/, '--cpus N --memoryMiB N');
const started = (version: string, kernelForUdp: boolean): string =>
  [
    `${app}/Contents/MacOS/com.docker.virtualization`,
    ...virtualizationStart(version, app, '/Users/user/Library/Containers/com.docker.docker/Data', {
      kernelForUdp,
    }),
  ].join(' ');

test.each([
  ['4.25.0', true, withOption],
  ['4.43.0', false, bootImage],
  ['4.55.0', false, desktopImage],
] as const)('%s', (version, kernelForUdp, line) => {
  expect(chosen(started(version, kernelForUdp))).toBe(chosen(line));
});
