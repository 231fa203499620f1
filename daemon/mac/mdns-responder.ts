import { type Run, run } from '../lib/command.js';
import { plain } from '../lib/text.js';

/** Of every Mac: `_mdnsresponder`, as which it runs. */
const account = 65;

/** What `ps -o pid=,uid=,ucomm=` has of it; ucomm is the file's own name, which no other process of that uid has. */
const row = new RegExp(`^ *(\\d+) +(?:${account}|0) +mDNSResponder *$`);

/**
 * Has macOS forget every name it has kept, and ask again for those that somebody waits for: SIGHUP, as Apple's own advice
 * has it. Returns whether it runs. Rejects when the processes cannot be listed.
 */
export async function forgetNames(
  command: Run = run,
  hangUp: (pid: number) => void = (pid) => process.kill(pid, 'SIGHUP'),
): Promise<boolean> {
  const { stdout, stderr, exitCode } = await command('/bin/ps', ['-ax', '-o', 'pid=,uid=,ucomm='], {
    maxOutput: 4_194_304,
  });
  if (exitCode !== 0) throw new Error(`ps ended with ${exitCode}: ${plain(stderr)}`);
  const pids = stdout.split('\n').flatMap((line) => Number(row.exec(line)?.[1] ?? 0) || []);
  for (const pid of pids) hangUp(pid);
  return pids.length > 0;
}
