import { expect, test } from '@jest/globals';
import { bootMac } from '../lab/lab.js';
import { containerAnswers, engineAnswers, install, openDocker } from '../lab/story.js';

const engines = [
  ['bookworm', 20],
  ['trixie', 26],
] as const;

test.each(engines)(
  'with the engine of %s (%i) a container that publishes no port answers the Mac',
  async (engine, major) => {
    const mac = await bootMac({ engine });
    try {
      await install(mac);
      await openDocker(mac);
      expect(Number.parseInt(await engineAnswers(mac), 10)).toBe(major);
      await containerAnswers(mac, 'unpublished');
    } finally {
      await mac.end();
    }
  },
  1_200_000,
);
