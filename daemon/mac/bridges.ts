import { run, type Run } from '../lib/command.js';
import { type Seen, seen, unknown, type VmBridge } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';
import { interfacesIn } from './ifconfig.js';

const member = /^\s+member: (\S+) flags=[0-9a-f]+<([^>]*)>/gm;

/** Whether vmnet made this member: `vmenetN`, and up to macOS 11 an `enN` as a private port. */
const isOfVm = ([, name = '', flags = '']: readonly string[]): boolean =>
  /^vmenet\d+$/.test(name) || (/^en\d+$/.test(name) && flags.split(',').includes('PRIVATE'));

/** The bridges of VMs in what `ifconfig -a` prints (ifbridge.c bridge_status()). */
export const bridgesIn = (text: string): readonly VmBridge[] =>
  interfacesIn(text).flatMap(({ name, mtu, addresses: [own], text: printed }) =>
    // A bridge from VMs to the LAN has no address of its own.
    own && /^bridge\d+$/.test(name) && [...printed.matchAll(member)].some(isOfVm)
      ? [{ name, ...own, mtu }]
      : [],
  );

/** The Mac's bridges on which VMs are. */
export async function observeBridges(command: Run = run): Promise<Seen<readonly VmBridge[]>> {
  try {
    const { stdout, stderr, exitCode } = await command('/sbin/ifconfig', ['-a']);
    // The loopback is always there: without it nothing of this was understood.
    if (exitCode !== 0 || !/^lo0: flags=/m.test(stdout))
      return unknown(`ifconfig -a: ${plain(stderr || stdout, 200)}`);
    return seen(bridgesIn(stdout));
  } catch (error) {
    return unknown(messageOf(error));
  }
}
