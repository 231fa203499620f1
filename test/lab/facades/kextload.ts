/**
 * /sbin/kextload PATH, with the texts and exit codes of kext_tools (kextload_main.c); from macOS 11 on it hands over to
 * kmutil, says so on stderr and ends as that does (KernelManagementShims).
 */
import { existsSync } from 'node:fs';
import { MachineError } from '../mac/rpc.js';
import type { Caller, Outcome } from './lib/served.js';

export async function kextload({ args, uid, call }: Caller): Promise<Outcome> {
  const [path, ...more] = args;
  if (path === undefined || path.startsWith('-') || more.length > 0)
    return { status: 64, err: 'usage: kextload [options] [--] [kext] ...\n' };
  if (uid !== 0) return { status: 77, err: 'You must be running as root to load kexts.\n' };
  const { macos } = await call<{ macos: string }>('mac.about');
  const shim = Number.parseInt(macos, 10) >= 11 ? `Executing: /usr/bin/kmutil load -p ${path}\n` : '';
  const failed = (status: number, why: string): Outcome => ({
    status,
    err: `${path} failed to load - (libkern/kext) ${why}; check the system/kernel logs for errors or try kextutil(8).\n`,
  });
  const kmutilFailed = (code: number, why: string): Outcome => ({
    status: code,
    err: `${shim}Error Domain=KMErrorDomain Code=${code} "${why}"\n`,
  });
  if (!existsSync(path))
    return shim ? kmutilFailed(28, `Unable to locate a bundle at ${path}.`) : failed(10, 'not found');
  try {
    await call('xnu.kext.load');
    return { status: 0, err: shim };
  } catch (error) {
    const refused = error instanceof MachineError && error.code === 'EPERM';
    if (!shim)
      return refused
        ? failed(27, 'system policy prevents loading')
        : failed(10, 'kext (kmod) start/stop routine failed');
    return refused
      ? kmutilFailed(
          27,
          'Extension with identifiers net.sf.tuntaposx.tap not approved to load. Please approve using System Settings.',
        )
      : kmutilFailed(
          71,
          'Kernel request failed: (libkern/kext) not loadable (reason unspecified) (-603946989)',
        );
  }
}
