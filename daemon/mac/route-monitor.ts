import { type ChildProcess, spawn } from 'node:child_process';
import { cleanEnvironment } from '../lib/command.js';
import { throttle } from '../lib/throttle.js';

/** Milliseconds between two triggers: hundreds of routes that come or go are no hundreds of looks. */
const minInterval = 500;

/**
 * What changes the table or an address begins such a line (route.c, print_rtmsg). Lookups that miss, and what others ask
 * for (RTM_MISS, RTM_LOSING, RTM_GET), change nothing, and any user can make as many as he likes.
 */
const change = /^RTM_(ADD|DELETE|CHANGE|NEWADDR|DELADDR|IFINFO|REDIRECT):/m;
/** Characters that tell what a line is. */
const maxLine = 64;

/**
 * `route -n monitor` for as long as the daemon lives, started again when it ends: after `pause` ms, and each time
 * twice that when it never lives long. Only a trigger: its output is buffered and cannot announce everything. A
 * daemon that is killed leaves it to launchd, which ends what is left of a job's process group.
 */
export function watchRoutes(
  onChange: () => void,
  [file, ...args]: readonly [string, ...string[]] = ['/sbin/route', '-n', 'monitor'],
  pause = 1000,
): { stop: () => void } {
  const heard = throttle(onChange, minInterval);
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let wait = pause;
  const start = (): void => {
    const began = performance.now();
    let rest = '';
    child = spawn(file, args, {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      const text = rest + chunk.toString('latin1');
      if (change.test(text)) heard.call();
      // A line that goes on in the next chunk; of one that was told of already only the end, which is no beginning.
      rest = text.slice(text.lastIndexOf('\n') + 1).slice(0, maxLine);
      if (change.test(rest)) rest = ' ';
    });
    child.once('error', () => undefined);
    child.once('close', () => {
      child = null;
      if (stopped) return;
      if (performance.now() - began > 60_000) wait = pause;
      timer = setTimeout(() => {
        start();
        // What changed meanwhile nobody has told.
        heard.call();
      }, wait);
      wait = Math.min(60_000, wait * 2);
    });
  };
  start();
  return {
    stop: () => {
      stopped = true;
      heard.stop();
      if (timer) clearTimeout(timer);
      child?.kill('SIGTERM');
    },
  };
}
