import { expect, test } from '@jest/globals';
import { setConfigValues, type Setting } from '../../../config/edit.js';
import { describeConfig } from '../../../config/keys.js';
import { configPath } from '../../../config/load.js';
import { isOtherLink } from '../../../config/other-link.js';
import { parseConfig } from '../../../config/parse.js';

/** For each key another value than its default, with what has to change beside it. */
const changes: Readonly<Record<string, readonly Setting[]>> = {
  restartDocker: [['restartDocker', 'ask']],
  notifications: [['notifications', 'false']],
  link: [['link', 'vmnet']],
  'tap.device': [['tap.device', 'tap2']],
  'tap.mac': [['tap.mac', '02:00:00:00:00:01']],
  'tap.address': [
    ['tap.address', '10.0.76.1'],
    ['tap.peer', '10.0.76.2'],
  ],
  'tap.peer': [
    ['tap.prefix', '29'],
    ['tap.peer', '10.0.75.3'],
  ],
  'tap.prefix': [['tap.prefix', '29']],
  'tap.mtu': [['tap.mtu', '1400']],
  'docker.context': [['docker.context', 'colima']],
  'docker.app': [['docker.app', '/Volumes/Extra/Docker.app']],
  'shim.manage': [['shim.manage', 'false']],
  'shim.wait': [['shim.wait', '7']],
  'guest.manage': [['guest.manage', 'false']],
  'routes.manage': [['routes.manage', 'false']],
  'routes.allow': [['routes.allow', '["10.0.0.0/8"]']],
  'routes.include': [['routes.include', '["web"]']],
  'routes.exclude': [['routes.exclude', '["web"]']],
  'routes.minPrefix': [['routes.minPrefix', '16']],
  'routes.force': [['routes.force', '["172.17.0.0/16"]']],
  'routes.extra': [['routes.extra', '["10.96.0.0/12"]']],
  'ipv6.manage': [['ipv6.manage', 'false']],
  'ipv6.address': [['ipv6.address', 'fd3e:d10f:52ef:75::3']],
  'ipv6.peer': [['ipv6.peer', 'fd3e:d10f:52ef:75::3']],
  'ipv6.prefix': [['ipv6.prefix', '64']],
  'ipv6.allow': [['ipv6.allow', '["fd00::/8"]']],
  'ipv6.minPrefix': [['ipv6.minPrefix', '56']],
  'names.manage': [['names.manage', 'false']],
  'names.zone': [['names.zone', 'docker.test']],
  'metrics.listen': [['metrics.listen', '127.0.0.1:9101']],
  'log.level': [['log.level', 'debug']],
  'log.maxSize': [['log.maxSize', '2097152']],
  'log.maxFiles': [['log.maxFiles', '9']],
};

const defaults = parseConfig('', configPath);

/** What the schema tells people of such a key: now a new link, or one with the next VM. */
const tellsOfLink = /until the link is made anew|when Docker’s VM next starts/;

test.each(describeConfig().map(({ key, inForce }) => ({ key, inForce })))(
  'a change of $key makes another link exactly if the reference says so ($inForce)',
  ({ key, inForce }) => {
    const after = parseConfig(setConfigValues('', changes[key] ?? []), configPath);
    expect(after).not.toEqual(defaults);
    // The shim's wait is the shim's own.
    expect(isOtherLink(defaults, after)).toBe(tellsOfLink.test(inForce) && key !== 'shim.wait');
  },
);

test('the same link is no other one', () => {
  expect(isOtherLink(defaults, parseConfig('', configPath))).toBe(false);
});
