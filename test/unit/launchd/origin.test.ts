import { expect, test } from '@jest/globals';
import { originOf } from '../../../launchd/origin.js';

test.each([
  [undefined, '/Users/ada/tuntapd/build/product/lib', 'sudo make install-daemon'],
  [
    'release',
    '/Users/ada/Downloads/tuntapd-1.0.0-arm64/build/product/lib',
    'In the folder of the release: sudo ./install',
  ],
  ['release', '/opt/homebrew/Cellar/tuntapd/1.0.0/libexec/build/product/lib', 'sudo tuntapd-install'],
  ['release', '/usr/local/Cellar/tuntapd/1.0.0/libexec/build/product/lib', 'sudo tuntapd-install'],
])('installed by %j from %s, it is installed again by: %s', (argument, folder, again) => {
  expect(originOf(argument, folder).again).toBe(again);
});
