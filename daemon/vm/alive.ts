/** Whether a process with this pid is there, whoever's it is. Asks the kernel, not `ps`: it costs nothing. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
