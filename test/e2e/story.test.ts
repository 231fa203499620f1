import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { story } from './lib/story.js';

let mac: Mac;

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

describe('the main job, chapter by chapter, on the newest engine', () => {
  const titles = story({} as Mac).map(({ title }) => title);
  let chapters: ReturnType<typeof story> | null = null;
  test.each(titles.map((title, index) => [title, index] as const))(
    '%s',
    async (_title, index) => {
      chapters ??= story(mac);
      await chapters[index]?.play();
    },
    700_000,
  );
});
