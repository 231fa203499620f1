import { test } from '@jest/globals';
import type { Mac } from '../../lab/lab.js';
import { explained } from './vocabulary.js';

/**
 * For a file that lives through its chapters in order on one Mac: what declares one of them as a test, of at most
 * `timeout` ms. One that fails says what state the Mac was in.
 */
export const chaptersOn =
  (mac: () => Mac, timeout = 600_000) =>
  (title: string, play: () => Promise<void>): void => {
    test(title, () => explained(mac(), play), timeout);
  };
