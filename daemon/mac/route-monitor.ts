import { type ChildProcess, spawn } from 'node:child_process';
import { cleanEnvironment } from '../command.js';

/**
 * `route -n monitor` for as long as the daemon lives, started again when it ends. Only a trigger: its output is
 * buffered and cannot announce everything.
 */
export function watchRoutes(onChange: () => void): { stop: () => void } {
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let wait = 1000;
  const start = (): void => {
    const began = Date.now();
    child = spawn('/sbin/route', ['-n', 'monitor'], {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout?.on('data', onChange);
    child.once('error', () => undefined);
    child.once('close', () => {
      child = null;
      if (stopped) return;
      wait = Date.now() - began > 60_000 ? 1000 : Math.min(60_000, wait * 2);
      timer = setTimeout(start, wait);
    });
  };
  start();
  return {
    stop: () => {
      stopped = true;
      if (timer) clearTimeout(timer);
      child?.kill('SIGTERM');
    },
  };
}
