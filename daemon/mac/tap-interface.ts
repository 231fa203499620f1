import { run, type Run } from '../lib/command.js';
import { type Seen, seen, type TapInterface, unknown } from '../core/observation.js';
import { type AddressTap, StepError, type UnaddressTap } from '../core/steps.js';
import { messageOf, plain } from '../lib/text.js';
import { interfacesIn, ipv6In } from './ifconfig.js';

export const ifconfig = '/sbin/ifconfig';

/** What `ifconfig tapN` prints; the last line is the driver's own (tuntap.cc). */
export function parseInterface(text: string): TapInterface | null {
  const [printed] = interfacesIn(text);
  if (!printed) return null;
  const { name, flags, mtu, addresses } = printed;
  const ipv6 = ipv6In(printed.text);
  const isDisabled = /^\s+nd6 options=[0-9a-f]+<(?:[^>]*,)?IFDISABLED[,>]/m.test(printed.text);
  const holder = /^\s+open \(pid (\d+)\)/m.exec(printed.text)?.[1];
  return {
    name,
    up: flags.includes('UP'),
    mtu,
    addresses,
    ...(ipv6.length === 0 ? {} : { ipv6 }),
    ...(isDisabled ? { isIpv6Disabled: true } : {}),
    holder: holder === undefined ? null : Number(holder),
  };
}

/** The tap's interface; null while nobody holds the device open. */
export async function observeTapInterface(
  name: string,
  command: Run = run,
): Promise<Seen<TapInterface | null>> {
  try {
    const { stdout, stderr, exitCode } = await command(ifconfig, [name]);
    const found = parseInterface(stdout);
    if (found) return seen(found);
    if (exitCode !== 0 && stderr.includes('does not exist')) return seen(null);
    return unknown(`ifconfig ${name}: ${plain(stderr || stdout)}`);
  } catch (error) {
    return unknown(messageOf(error));
  }
}

async function must(command: Run, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await command(ifconfig, args);
  if (exitCode !== 0)
    throw new StepError(`ifconfig ${args.join(' ')}: ${plain(stderr)}`, {
      condition: 'TapAddress',
      reason: 'AddressRefused',
    });
}

/**
 * Brings the interface up with address, prefix and MTU, touching only what differs unless it is to be `anew`: setting
 * an address again deletes it first (ifconfig.c), and with the address its connected row comes back where nobody has
 * one of the same prefix (route.c). Whether it did is for the next look at the table.
 */
export async function addressTap(
  step: Pick<AddressTap, 'interface' | 'macAddress' | 'prefix' | 'mtu' | 'anew'>,
  command: Run = run,
): Promise<void> {
  const look = async (): Promise<TapInterface> => {
    const tap = await observeTapInterface(step.interface, command);
    if (!tap.known || !tap.value)
      throw new StepError(`${step.interface} is gone: ${tap.known ? 'the VM has ended' : tap.why}`, {
        condition: 'TapAddress',
        reason: 'TapGone',
      });
    return tap.value;
  };
  const has = (tap: TapInterface): boolean =>
    tap.addresses.some(({ address, prefix }) => address === step.macAddress && prefix === step.prefix);
  const before = await look();
  if (step.anew || !has(before))
    await must(command, [step.interface, `${step.macAddress}/${step.prefix}`, 'up']);
  else if (!before.up) await must(command, [step.interface, 'up']);
  if (before.mtu !== step.mtu) await must(command, [step.interface, 'mtu', String(step.mtu)]);
  const after = await look();
  if (!has(after) || !after.up || after.mtu !== step.mtu)
    throw new StepError(
      `${step.interface} is not up with ${step.macAddress}/${step.prefix} and MTU ${step.mtu} after ifconfig set it`,
      { condition: 'TapAddress', reason: 'AddressNotSet' },
    );
}

/** Takes the address away; the interface stays up, since hyperkit’s receive loop spins when it goes down. */
export async function unaddressTap(
  step: Pick<UnaddressTap, 'interface' | 'macAddress'>,
  command: Run = run,
): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const tap = await observeTapInterface(step.interface, command);
    if (!tap.known) throw new StepError(tap.why, { condition: 'Ready', reason: 'InterfaceUnknown' });
    return tap.value?.addresses.some(({ address }) => address === step.macAddress) ?? false;
  };
  if (!(await isThere())) return;
  const { stderr } = await command(ifconfig, [step.interface, 'inet', step.macAddress, 'delete']);
  // The VM may have ended in between, and the address with it: what counts is that it is gone.
  if (await isThere())
    throw new StepError(`${step.macAddress} is still on ${step.interface}: ${plain(stderr)}`, {
      condition: 'Ready',
      reason: 'AddressNotRemoved',
    });
}
