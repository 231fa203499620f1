/**
 * The child that lists processes by ps-list, which looks up the first words of every command line as paths: on a dead
 * share it hangs there, and whoever started it kills it. So it first of all gives root up. It execs nothing but
 * `/bin/ps`, which is Apple's, setuid root and without any grant of ours. A line on stdin asks for a list, which is a
 * line of JSON on stdout; the process ends when a list fails, and with its parent.
 */
import '../lib/no-inspector.js';
import { createInterface } from 'node:readline';
import psList from 'ps-list';
import { giveUpRoot } from '../lib/give-up-root.js';
import { candidatesOf } from './candidates.js';

/** macOS's `nobody`: as whom nobody logs in. */
const nobody = 4_294_967_294;
/** Bytes of memory above which the process ends after its answer: it has about 50 MB, and long lists leave theirs behind. */
const maxMemory = 134_217_728;

async function answer(): Promise<void> {
  const list = candidatesOf(await psList());
  process.stdout.write(`${JSON.stringify(list)}\n`, () => {
    if (process.memoryUsage.rss() > maxMemory) process.exit();
  });
}

giveUpRoot(nobody, nobody);
createInterface({ input: process.stdin })
  .on('line', () => void answer())
  .on('close', () => process.exit());
