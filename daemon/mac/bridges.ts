import { run, type Run } from '../lib/command.js';
import { seen, unknown, type VmBridge, type VmnetObservation } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';
import { interfacesIn, ipv6In, type PrintedInterface } from './ifconfig.js';

const member = /^\s+member: (\S+) flags=[0-9a-f]+<([^>]*)>/gm;

/** Whether vmnet made this member: `vmenetN`, and up to macOS 11 an `enN` as a private port. */
const isOfVm = ([, name = '', flags = '']: readonly string[]): boolean =>
  /^vmenet\d+$/.test(name) || (/^en\d+$/.test(name) && flags.split(',').includes('PRIVATE'));

/** Whether it is a bridge of VMs that has an address; one from VMs to the LAN has none of its own. */
const isBridge = ({ name, addresses, text }: PrintedInterface): boolean =>
  /^bridge\d+$/.test(name) && addresses.length > 0 && [...text.matchAll(member)].some(isOfVm);

/** The bridges of VMs in what `ifconfig -a` prints (ifbridge.c bridge_status()). */
export const bridgesIn = (text: string): readonly VmBridge[] =>
  interfacesIn(text)
    .filter(isBridge)
    .flatMap(({ name, mtu, addresses: [own] }) => (own ? [{ name, ...own, mtu }] : []));

/** Their IPv6 addresses, by name. */
const ipv6OfBridges = (text: string): NonNullable<VmnetObservation['ipv6']> =>
  Object.fromEntries(
    interfacesIn(text)
      .filter(isBridge)
      .flatMap(({ name, text: printed }) => {
        const addresses = ipv6In(printed);
        return addresses.length === 0 ? [] : [[name, addresses] as const];
      }),
  );

/** The Mac's bridges on which VMs are. */
export async function observeBridges(command: Run = run): Promise<VmnetObservation> {
  const unseen = (why: string): VmnetObservation => ({ bridges: unknown(why) });
  try {
    const { stdout, stderr, exitCode } = await command('/sbin/ifconfig', ['-a']);
    // The loopback is always there: without it nothing of this was understood.
    if (exitCode !== 0 || !/^lo0: flags=/m.test(stdout))
      return unseen(`ifconfig -a: ${plain(stderr || stdout, 200)}`);
    const ipv6 = ipv6OfBridges(stdout);
    return { bridges: seen(bridgesIn(stdout)), ...(Object.keys(ipv6).length === 0 ? {} : { ipv6 }) };
  } catch (error) {
    return unseen(messageOf(error));
  }
}
