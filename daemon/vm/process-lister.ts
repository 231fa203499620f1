/**
 * The child that lists processes by ps-list, which looks up the first words of every command line as paths: on a dead
 * share it hangs there, and whoever started it kills it. So it first of all gives root up. It execs nothing but
 * `/bin/ps`, which is Apple's, setuid root and without any grant of ours. Answer on stdout.
 */
import '../no-inspector.js';
import psList from 'ps-list';
import { giveUpRoot } from '../give-up-root.js';
import { candidatesOf } from './candidates.js';

/** macOS's `nobody`: as whom nobody logs in. */
const nobody = 4_294_967_294;

giveUpRoot(nobody, nobody);
process.stdout.write(JSON.stringify(candidatesOf(await psList())));
