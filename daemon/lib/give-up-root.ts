/**
 * Gives root up for good, for this user and group and no other; does nothing where root was never had. Throws when it
 * could be taken back. The kernel keeps others of that uid from a process that changed its own (P_SUGID: no debugger, no
 * DYLD_*) until it execs: whoever calls this must not exec our runtime afterwards, whose signature allows debuggers
 * (get-task-allow).
 */
export function giveUpRoot(uid: number, gid: number): void {
  if (uid === 0 || process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  try {
    process.setuid?.(0);
  } catch {
    return;
  }
  throw new Error('root could not be given up');
}
