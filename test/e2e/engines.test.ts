import { expect, test } from '@jest/globals';
import { containerAnswers, engineAnswers, install, onMac, openDocker } from '../lab/story.js';

const engines = [
  ['bookworm', 20],
  ['trixie', 26],
] as const;

test.each(engines)(
  'with the engine of %s (%i) a container that publishes no port answers the Mac',
  (engine, major) =>
    onMac({ engine }, async (mac) => {
      await install(mac);
      await openDocker(mac);
      expect(Number.parseInt(await engineAnswers(mac), 10)).toBe(major);
      await containerAnswers(mac, 'unpublished');
    }),
  1_200_000,
);
