/** Two people on one Mac, and two Docker.apps: whoever holds the tap is served, and everything goes back in the end. */
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { type Identity, identityOf } from '../lib/identity.js';
import {
  answers,
  conditionOf,
  containerAnswers,
  dockerOf,
  hasShim,
  hyperkit,
  install,
  must,
  openDocker,
  phaseIs,
  quitDocker,
  tapBelongsTo,
  tapOwner,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;
const theirApp = '/Users/person/Applications/Docker.app';
const theirHyperkit = hyperkit.replace('/Applications/Docker.app', theirApp);
const both = [hyperkit, theirHyperkit];
let untouched: readonly Identity[];
let web: string;

const chapter = chaptersOn(() => mac);

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  const person = { uid: 501, gid: 20 };
  const folder = mac.path('/Users/person/Applications');
  mkdirSync(folder, { recursive: true });
  chownSync(folder, person.uid, person.gid);
  chmodSync(folder, 0o700);
  await must(mac, ['/bin/cp', '-pR', '/Applications/Docker.app', theirApp]);
  untouched = both.map((path) => identityOf(mac.path(path)));
  await install(mac);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

chapter('both Docker.apps get the shim, and the one that is opened is reached', async () => {
  await until('the shim stands in both', 60, () => Promise.resolve(both.every((path) => hasShim(mac, path))));
  await openDocker(mac, 'person', theirApp);
  web = await containerAnswers(mac, 'first');
});

chapter('somebody else comes to the front: the first user’s containers go on answering', async () => {
  // By a name that no record has, as Jamf Connect and Platform SSO log people in.
  await mac.login('other', 'other@example.com');
  await until('it is said whose VM it is', 45, async () =>
    (await conditionOf(mac, 'VirtualMachine')).message.includes('uid 501, who is logged in but not in front'),
  );
  await answers(mac, 'first', web, 30);
  expect(tapOwner(mac)).toBe(501);
});

chapter(
  'he opens his Docker too: it is said who holds the tap, and the first user’s is untouched',
  async () => {
    await openDocker(mac, 'other');
    await until('it is said', 60, async () => {
      const { status, reason, message } = await conditionOf(mac, 'TapAttached');
      expect({ status, reason }).toEqual({ status: 'False', reason: 'HeldByOtherUser' });
      expect(message).toMatch(/VM of uid 501 .* so that of other \(pid \d+\) has no link: quit Docker there/);
    });
    expect(tapOwner(mac)).toBe(501);
    await answers(mac, 'first', web, 30);
  },
);

chapter('he logs out while his VM runs: it ends, the first user’s does not', async () => {
  await mac.logout();
  await until('his VM is gone', 45, async () => {
    const { status, message } = await conditionOf(mac, 'VirtualMachine');
    expect({ status, hasOther: message.includes('another one') }).toEqual({
      status: 'True',
      hasOther: false,
    });
  });
  await answers(mac, 'first', web, 30);
  await mac.login('person');
  await phaseIs(mac, 'ready', 60);
});

chapter('when the first user’s Docker has ended, the tap is that of whoever is in front', async () => {
  await quitDocker(mac);
  await mac.login('other');
  // The first user again, who has no screen now, but is whom the Mac names first.
  await mac.loginFromAfar('person');
  await tapBelongsTo(mac, 502);
  await openDocker(mac, 'other');
  await containerAnswers(mac, 'theirs', undefined, dockerOf(mac, 'other'));
});

chapter('uninstalled while the other one is in front, both Docker.apps are what they were', async () => {
  await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon'], 120_000);
  expect(both.map((path) => identityOf(mac.path(path)))).toEqual(untouched);
  for (const path of both) expect(existsSync(mac.path(`${path}.original`))).toBe(false);
  expect(await dockerOf(mac, 'other').inVm('ip addr show; iptables -t raw -S')).not.toMatch(
    /10\.0\.75\.|tuntapd/,
  );
});
