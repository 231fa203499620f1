import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * `ip -batch` of the lab, kept running: starting an `ip` for each change of a route costs more than the change. Returns
 * a function that carries out commands (`route del …`) in order and resolves when the kernel has had them all. What
 * Linux refuses (since it already has it, or no longer) is passed over. With `linksChanged` another `ip` does it: one
 * remembers for good which link had a name.
 */
export function keepIp(
  file = '/.lab/bin/ip',
): (commands: readonly string[], linksChanged?: boolean) => Promise<void> {
  let child: ChildProcess | null = null;
  let settle: () => void = () => undefined;
  let last: Promise<void> = Promise.resolve();

  function start(): ChildProcess {
    const born = spawn(file, ['-force', '-oneline', '-batch', '-'], { stdio: ['pipe', 'pipe', 'ignore'] });
    // Its only output are the answers to what ends each batch.
    createInterface({ input: born.stdout }).on('line', () => {
      settle();
    });
    born.stdin.on('error', () => undefined);
    born.once('error', () => undefined);
    born.once('close', () => {
      if (child !== born) return;
      child = null;
      settle();
    });
    return born;
  }

  const carryOut = (commands: readonly string[], linksChanged: boolean): Promise<void> =>
    new Promise((resolve) => {
      if (linksChanged) {
        child?.stdin?.end();
        child = null;
      }
      settle = resolve;
      child ??= start();
      child.stdin?.write([...commands, 'link show dev lo', ''].join('\n'));
    });

  return (commands, linksChanged = false) => {
    if (commands.length > 0) last = last.then(() => carryOut(commands, linksChanged));
    return last;
  };
}
