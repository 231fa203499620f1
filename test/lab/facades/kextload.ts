/** /sbin/kextload PATH, with the texts and exit codes of kext_tools (kextload_main.c). */
import { existsSync } from 'node:fs';
import { MachineError } from '../mac/rpc.js';
import type { Caller, Outcome } from './lib/served.js';

export async function kextload({ args, uid, call }: Caller): Promise<Outcome> {
  const [path, ...more] = args;
  if (path === undefined || path.startsWith('-') || more.length > 0)
    return { status: 64, err: 'usage: kextload [options] [--] [kext] ...\n' };
  if (uid !== 0) return { status: 77, err: 'You must be running as root to load kexts.\n' };
  const failed = (why: string): string =>
    `${path} failed to load - (libkern/kext) ${why}; check the system/kernel logs for errors or try kextutil(8).\n`;
  if (!existsSync(path)) return { status: 10, err: failed('not found') };
  try {
    await call('xnu.kext.load');
    return { status: 0 };
  } catch (error) {
    return error instanceof MachineError && error.code === 'EPERM'
      ? { status: 27, err: failed('system policy prevents loading') }
      : { status: 10, err: failed('kext (kmod) start/stop routine failed') };
  }
}
