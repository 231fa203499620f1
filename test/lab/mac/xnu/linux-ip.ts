import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * `ip -batch` of the lab, kept running: starting an `ip` for each change of a route costs more than the change. Returns
 * a function that carries out commands (`route del …`) in order and resolves when the kernel has had them all. What
 * Linux refuses (since it already has it, or no longer) is passed over.
 */
export function keepIp(file = '/.lab/bin/ip'): (commands: readonly string[]) => Promise<void> {
  let child: ChildProcess | null = null;
  let waiting: (() => void)[] = [];

  function start(): ChildProcess {
    const born = spawn(file, ['-force', '-oneline', '-batch', '-'], { stdio: ['pipe', 'pipe', 'ignore'] });
    // Its only output are the answers to what ends each batch.
    createInterface({ input: born.stdout }).on('line', () => waiting.shift()?.());
    born.stdin.on('error', () => undefined);
    born.once('error', () => undefined);
    born.once('close', () => {
      child = null;
      const left = waiting;
      waiting = [];
      for (const settle of left) settle();
    });
    return born;
  }

  return (commands) => {
    if (commands.length === 0) return Promise.resolve();
    child ??= start();
    child.stdin?.write([...commands, 'link show dev lo', ''].join('\n'));
    return new Promise((resolve) => waiting.push(resolve));
  };
}
