/**
 * What runs when limactl is executed in the lab, as colima does it: `limactl hostagent` is the VM's process with the vz
 * driver, and forwards the engine's socket to the Mac, as Lima does by ssh.
 * Called by the kernel (binfmt_misc, flag P): limactl.js PATH ARGV0 ARGUMENTS…
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { finish } from '../facades/lib/say.js';
import { colimaPaths } from './colima-files.js';
import { portFile } from './qemu.js';
import { startVirtualMachine } from './virtual-machine.js';

const [, , , argv0 = '', verb = '', ...words] = process.argv;
process.title = [argv0, verb, ...words].join(' ');
if (verb !== 'hostagent')
  finish(1, { err: `level=fatal msg="unknown command \\"${verb}\\" for \\"limactl\\""\n` });

const { values } = parseArgs({
  args: words,
  allowPositionals: true,
  options: { pidfile: { type: 'string' }, socket: { type: 'string' }, guestagent: { type: 'string' } },
});
const { instance, socket } = colimaPaths(process.env['HOME'] ?? '/');
const { pidfile } = values;

/** limayaml.MACAddress: the same for as long as the instance lies where it does. */
const macAddress = ['52', '55', '55']
  .concat(createHash('sha256').update(instance).digest('hex').slice(0, 6).match(/../g) ?? [])
  .join(':');

process.chdir(instance);
const files = [...(pidfile === undefined ? [] : [pidfile]), socket];
for (const file of [...files, portFile]) rmSync(file, { force: true });
if (pidfile !== undefined) writeFileSync(pidfile, `${process.pid}\n`);
const hasNat = readFileSync('lima.yaml', 'utf8').includes('vzNAT: true');
await startVirtualMachine({
  disk: 'diffdisk',
  nat: hasNat ? macAddress : null,
  kernelLine: 'eth1.dhcp lab.nic=col0',
  cleanUp: () => {
    for (const file of files) rmSync(file, { force: true });
  },
});
while (!existsSync(portFile)) await pause(100);
createServer({ allowHalfOpen: true }, (client) => {
  const engine = createConnection({
    port: Number(readFileSync(portFile, 'utf8')),
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  client.on('error', () => engine.destroy());
  engine.on('error', () => client.destroy());
  client.pipe(engine).pipe(client);
}).listen(socket);
