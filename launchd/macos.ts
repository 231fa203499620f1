import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../daemon/lib/command.js';
import type { Outside } from './launchctl.js';
import { Problem } from './problem.js';

/** The Mac itself. */
export const mac: Outside = {
  run: (file, args) => run(file, args, { timeout: 30_000 }),
  pause: async (milliseconds) => {
    await sleep(milliseconds);
  },
};

/** Throws Problem unless this is a Mac and we are root. */
export async function requireRootOnMac(command: string): Promise<void> {
  const system = await mac.run('/usr/bin/uname', ['-s']).catch(() => null);
  if (system?.stdout.trim() !== 'Darwin')
    throw new Problem('This is not macOS, and tuntapd is for Macs. To see it at work here: make demo');
  if (process.getuid?.() !== 0) throw new Problem(`This needs root: ${command}`);
}

/**
 * Runs `main`; what it throws becomes a message on stderr and exit status 1, or the one that a Problem brings. Signals
 * wait for the end of it.
 */
export async function toTheEnd(main: () => Promise<void>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      process.stderr.write('Stopping now would leave things half done: this takes a moment more.\n');
    });
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Problem ? error.message : String(error)}\n`);
    process.exitCode = error instanceof Problem ? error.exitCode : 1;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.removeAllListeners(signal);
  }
}
