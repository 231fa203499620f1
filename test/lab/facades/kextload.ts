/** /sbin/kextload PATH, with the texts and exit codes of kext_tools (kextload_main.c). */
import { existsSync } from 'node:fs';
import { call, MachineError } from '../mac/rpc.js';

const [path, ...more] = process.argv.slice(2);
if (path === undefined || path.startsWith('-') || more.length > 0) {
  process.stderr.write('usage: kextload [options] [--] [kext] ...\n');
  process.exitCode = 64;
} else if (process.getuid?.() !== 0) {
  process.stderr.write('You must be running as root to load kexts.\n');
  process.exitCode = 77;
} else if (!existsSync(path)) {
  process.stderr.write(
    `${path} failed to load - (libkern/kext) not found; check the system/kernel logs for errors or try kextutil(8).\n`,
  );
  process.exitCode = 10;
} else {
  try {
    await call('xnu.kext.load');
  } catch (error) {
    const refused = error instanceof MachineError && error.code === 'EPERM';
    const why = refused ? 'system policy prevents loading' : 'kext (kmod) start/stop routine failed';
    process.stderr.write(
      `${path} failed to load - (libkern/kext) ${why}; check the system/kernel logs for errors or try kextutil(8).\n`,
    );
    process.exitCode = refused ? 27 : 10;
  }
}
