import type { Mac } from '../../lab/lab.js';

/** When a program on the Mac that asks for a name all the time is given it first, in ms since the epoch. */
export function firstFound(mac: Mac, name: string): Promise<number> {
  const program = `const ask = () => require('node:dns').lookup(process.argv[1], (error) =>
    error ? setTimeout(ask, 20) : console.log(Date.now())); ask();`;
  const child = mac.spawn(['/usr/local/bin/node', '-e', program, name]);
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (said: Buffer) => {
      resolve(Number(said.toString()));
    });
    child.once('error', reject);
  });
}
