/** The Mac's end of a tap by IPv6: set and taken away by ifconfig, whose IPv6 half differs from the other in most ways. */
import { run, type Run } from '../lib/command.js';
import type { Ipv6Address } from '../core/observation.js';
import { type AddressTap, StepError, type UnaddressTap } from '../core/steps.js';
import { plain } from '../lib/text.js';
import { ifconfig, observeTapInterface } from './tap-interface.js';

/** Ours among the addresses that the interface has. Rejects with StepError `TapGone` where it is gone. */
async function find(name: string, address: string, command: Run): Promise<Ipv6Address | undefined> {
  const tap = await observeTapInterface(name, command);
  if (!tap.known || !tap.value)
    throw new StepError(`${name} is gone: ${tap.known ? 'the VM has ended' : tap.why}`, {
      condition: 'Ipv6',
      reason: 'TapGone',
    });
  return tap.value.ipv6?.find((own) => own.address === address);
}

/** Returns what ifconfig says of it; whether the address is gone is to be looked at. */
async function remove(name: string, address: string, command: Run): Promise<string> {
  const { stderr } = await command(ifconfig, [name, 'inet6', address, 'delete']);
  return stderr;
}

/**
 * Gives the interface the address, which has it at once where it is not up yet, and otherwise after one or two seconds
 * in which it is `tentative`. One that is there is let be, since setting it again would begin that anew; with another
 * length, or `anew`, it is taken away before: ifconfig itself removes none (af_inet6.c), and a length never changes.
 */
export async function addressTap6(
  step: Pick<AddressTap, 'interface' | 'macAddress' | 'prefix' | 'anew'>,
  command: Run = run,
): Promise<void> {
  const { interface: name, macAddress: address, prefix } = step;
  const before = await find(name, address, command);
  if (before && before.prefix === prefix && !step.anew) return;
  if (before) await remove(name, address, command);
  const words = [name, 'inet6', address, 'prefixlen', String(prefix)];
  const { exitCode, stderr } = await command(ifconfig, words);
  if (exitCode !== 0)
    throw new StepError(`ifconfig ${words.join(' ')}: ${plain(stderr)}`, {
      condition: 'Ipv6',
      reason: 'AddressRefused',
    });
  const after = await find(name, address, command);
  if (after?.prefix !== prefix)
    throw new StepError(`${name} has no ${address}/${prefix} after ifconfig set it`, {
      condition: 'Ipv6',
      reason: 'AddressNotSet',
    });
}

/** Takes the address away. Its network's row goes some seconds later (nd6_prefix.c); the kernel's own addresses stay. */
export async function unaddressTap6(
  step: Pick<UnaddressTap, 'interface' | 'macAddress'>,
  command: Run = run,
): Promise<void> {
  const { interface: name, macAddress: address } = step;
  const isThere = async (): Promise<boolean> => {
    const tap = await observeTapInterface(name, command);
    if (!tap.known) throw new StepError(tap.why, { condition: 'Ipv6', reason: 'AddressNotRemoved' });
    return tap.value?.ipv6?.some((own) => own.address === address) ?? false;
  };
  if (!(await isThere())) return;
  const said = await remove(name, address, command);
  // The VM may have ended in between, and the address with it: what counts is that it is gone.
  if (await isThere())
    throw new StepError(`${address} is still on ${name}: ${plain(said)}`, {
      condition: 'Ipv6',
      reason: 'AddressNotRemoved',
    });
}
