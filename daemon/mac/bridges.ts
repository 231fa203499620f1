import { run, type Run } from '../lib/command.js';
import { seen, unknown, type VmBridge, type VmnetObservation } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';
import { ipv6In } from './tap-interface.js';

const head = /^([a-z]+\d+): flags=[0-9a-f]+<[^>]*>(?: metric \d+)? mtu (\d+)/;
const inet = /^\s+inet (\d+\.\d+\.\d+\.\d+) netmask 0x([0-9a-f]{8})(?: |$)/m;
const member = /^\s+member: (\S+) flags=[0-9a-f]+<([^>]*)>/gm;

/** The length of a mask whose ones all stand in front; null for any other. */
function lengthOf(mask: string): number | null {
  const bits = Number.parseInt(mask, 16).toString(2).padStart(32, '0');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : null;
}

/** Whether vmnet made this member: `vmenetN`, and up to macOS 11 an `enN` as a private port. */
const isOfVm = ([, name = '', flags = '']: readonly string[]): boolean =>
  /^vmenet\d+$/.test(name) || (/^en\d+$/.test(name) && flags.split(',').includes('PRIVATE'));

function bridgeIn(block: string): VmBridge[] {
  const [, name = '', mtu = ''] = head.exec(block) ?? [];
  const [, address, mask = ''] = inet.exec(block) ?? [];
  const prefix = lengthOf(mask);
  // A bridge from VMs to the LAN has no address of its own.
  if (!/^bridge\d+$/.test(name) || address === undefined || prefix === null) return [];
  return [...block.matchAll(member)].some(isOfVm) ? [{ name, address, prefix, mtu: Number(mtu) }] : [];
}

const blocksOf = (text: string): readonly string[] => text.split(/^(?=\S)/m);

/** The bridges of VMs in what `ifconfig -a` prints (ifconfig.c status(), ifbridge.c bridge_status()). */
export const bridgesIn = (text: string): readonly VmBridge[] => blocksOf(text).flatMap(bridgeIn);

/** Their IPv6 addresses, by name. */
const ipv6OfBridges = (text: string): NonNullable<VmnetObservation['ipv6']> =>
  Object.fromEntries(
    blocksOf(text).flatMap((block) => {
      const addresses = ipv6In(block);
      return addresses.length === 0 ? [] : bridgeIn(block).map(({ name }) => [name, addresses] as const);
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
