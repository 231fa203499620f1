import { test } from '@jest/globals';
import type { Mac } from '../../lab/lab.js';
import { explained } from './vocabulary.js';

/** Generous: two VM starts on a busy machine. */
const timeout = 600_000;

/** For a file that lives through its chapters in order on one Mac. One that fails says what state the Mac was in. */
export const chaptersOn =
  (mac: () => Mac) =>
  (title: string, play: () => Promise<void>): void => {
    test(title, () => explained(mac(), play), timeout);
  };
