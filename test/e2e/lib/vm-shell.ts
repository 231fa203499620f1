/** A shell in the lab's VM, by its second serial line: nothing of the engine's takes part. */
import { randomUUID } from 'node:crypto';
import { createConnection } from 'node:net';

/** Milliseconds that a script may take. */
const patience = 60_000;

/** Runs a script as root in the VM whose `shellFile` this is; returns its output, rejects with it when it fails. */
export function inVm(shellPath: string, script: string): Promise<string> {
  // QEMU speaks with one caller at a time. What a script of somebody's who gave up still says is not ours.
  const id = randomUUID();
  return new Promise((resolve, reject) => {
    const line = createConnection(shellPath);
    const fail = (why: string): void => {
      line.destroy();
      reject(new Error(`in the VM: ${script}\n${why}`));
    };
    const timer = setTimeout(fail, patience, `no answer in ${patience / 1000} s`);
    let said = '';
    line.setEncoding('latin1');
    line.on('connect', () => line.write(`${id} ${Buffer.from(script).toString('base64')}\n`));
    line.on('data', (chunk: string) => {
      said += chunk;
      const [, status, output = ''] = new RegExp(`${id} (\\d+) ([A-Za-z0-9+/=]*)\n`).exec(said) ?? [];
      if (status === undefined) return;
      const text = Buffer.from(output, 'base64').toString();
      if (status !== '0') {
        fail(`ended with ${status}: ${text}`);
        return;
      }
      line.destroy();
      resolve(text);
    });
    line.on('error', ({ message }) => {
      fail(message);
    });
    line.on('close', () => {
      clearTimeout(timer);
      fail('the VM ended');
    });
  });
}
