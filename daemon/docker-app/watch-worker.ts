/**
 * The child that watches a user's folders, with that user's rights: what is planted there (a FIFO, a disk that does not
 * answer) holds nobody but itself. Started as root from the daemon's own runtime, it first of all gives root up. Every
 * line on stdin is JSON, the first one whose folders they are, each later one which to watch from now on; a line on
 * stdout says that something changed. It ends with its parent.
 */
import '../lib/no-inspector.js';
import { createInterface } from 'node:readline';
import { giveUpRoot } from '../lib/give-up-root.js';
import { throttle } from '../lib/throttle.js';
import { watchFolders } from './watch-folders.js';

/** Milliseconds between two lines. */
const minInterval = 100;

const heard = throttle(() => process.stdout.write('\n'), minInterval);
const watch = watchFolders(heard.call);
let begun = false;
let turn = Promise.resolve();

process.stdout.on('error', () => process.exit());
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (begun) turn = turn.then(() => watch.follow(JSON.parse(line) as readonly string[]));
    else {
      const { uid, gid } = JSON.parse(line) as { uid: number; gid: number };
      giveUpRoot(uid, gid);
      begun = true;
    }
  })
  .on('close', () => process.exit());
