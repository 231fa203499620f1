import { ownerOf, parentOf, pids } from './processes.js';

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended
  }
};

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Ends every process of the Mac but pid 1, this one and its own helpers (its children that are no jobs): SIGTERM,
 * and SIGKILL after `patience` milliseconds. `jobs` are the pids of launchd's, which launchd itself ends meanwhile.
 * With `uid`, only that user's processes, as at his logout.
 */
export async function endProcesses(jobs: () => number[], patience: number, uid?: number): Promise<void> {
  const doomed = (): number[] => {
    const own = jobs();
    return pids().filter(
      (pid) =>
        pid !== 1 &&
        pid !== process.pid &&
        (parentOf(pid) !== process.pid || own.includes(pid)) &&
        (uid === undefined || ownerOf(pid) === uid),
    );
  };
  const dead = (pid: number): boolean => parentOf(pid) === null;
  const first = doomed();
  for (const pid of first) if (!jobs().includes(pid)) send(pid, 'SIGTERM');
  const end = Date.now() + patience;
  while (Date.now() < end && !doomed().every(dead)) await wait(50);
  // What was born meanwhile goes too.
  for (let round = 0; round < 100; round += 1) {
    const left = doomed().filter((pid) => !dead(pid));
    if (left.length === 0) return;
    for (const pid of left) send(pid, 'SIGKILL');
    await wait(50);
  }
  throw new Error(`processes that cannot be killed: ${doomed().join(' ')}`);
}
