import { readFileSync, readdirSync, statSync } from 'node:fs';

/** All pids of the Mac. */
export const pids = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0);

/** The fields of /proc/PID/stat after the name: [0] is the state, [1] the parent; null when it is gone. */
export function statOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

export const parentOf = (pid: number): number | null => {
  const fields = statOf(pid);
  return fields ? Number(fields[1]) : null;
};

/** The uid that a process runs as; null when it is gone. */
export function ownerOf(pid: number): number | null {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
}
