import { expect, test } from '@jest/globals';
import { isOwnZone } from '../../../config/zone.js';

test.each(['docker', 'docker.test', 'test', 'lan', 'dev.example.com', 'c0.internal', 'containers.home.lan'])(
  '%s may be the zone',
  (zone) => {
    expect(isOwnZone(zone)).toBe(true);
  },
);

test.each([
  'local',
  'shop.local',
  'localhost',
  'web.localhost',
  'com',
  'dev',
  'zip',
  'de',
  'internal',
  'docker.internal',
  'host.docker.internal',
  'in-addr.arpa',
  'home.arpa',
  '',
  '.',
  'docker.',
  '.docker',
  'Docker',
  'a..b',
  '../passwd',
  'a/b',
  'a b',
  'ünix',
  '127.0.0.1',
  'docker\nnameserver 1.2.3.4',
  'x'.repeat(64),
  Array(60).fill('ab').join('.'),
])('%j may not', (zone) => {
  expect(isOwnZone(zone)).toBe(false);
});
