/**
 * Loaded into every Node.js program that the lab's launchd starts, by NODE_OPTIONS: has the daemon's child that lists
 * processes run as on a Mac, since ps-list goes another way on Linux. The daemon itself stays what it is.
 */
import childProcess, { type SpawnOptions } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

const isLister = (path: string | undefined): boolean => path?.endsWith('/process-lister.mjs') === true;

function start(file: string, args: readonly string[] = [], options: SpawnOptions = {}): unknown {
  const env = { ...options.env, NODE_OPTIONS: `--import=${import.meta.filename}` };
  return spawn(file, args, isLister(args[0]) ? { ...options, env } : options);
}

const { spawn } = childProcess;
if (isLister(process.argv[1])) Object.defineProperty(process, 'platform', { value: 'darwin' });
else {
  Object.assign(childProcess, { spawn: start });
  syncBuiltinESMExports();
}
