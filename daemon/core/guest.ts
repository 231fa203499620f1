/** The VM's end of the link: its address and the firewall's accept rule. Pure. */
import { failed, type Judge, no, yes } from './condition.js';
import type { Family, Prefix } from '../lib/prefix.js';
import type { FamilyJudgement } from './judgement.js';
import type { Link } from './link/link.js';
import { type GuestReport, valueOf } from './observation.js';
import { keyOf, type PrepareGuest, type Step, type VmEnd } from './steps.js';

const given = (isGiven = false): { isGiven?: boolean } => (isGiven ? { isGiven } : {});

/** An end that nobody has looked at in this life: rules of ours are found without it. */
const unseen: Readonly<
  Record<Family, Pick<Link, 'nic' | 'vmAddress' | 'isGiven'> & { network: Pick<Prefix, 'bits'> }>
> = {
  4: { nic: '', vmAddress: '', network: { bits: '' }, isGiven: true },
  6: { nic: '', vmAddress: '::', network: { bits: '' }, isGiven: true },
};

/** Whom a report of these says that it lets in. */
export const sourceOf = (macAddress: string, sources: readonly string[] = [macAddress]): string =>
  sources.join(' ');

/** Whether it is this NIC that was set up. */
const isAbout = (nic: string, report: GuestReport): boolean => (report.nic ?? nic) === nic;

/** Whether the VM's end is set up in this session, or left to its operator. */
export function isPrepared({
  config,
  observation,
  memory: { guest: report },
  link: { link },
}: FamilyJudgement): boolean {
  if (!config.guest.manage) return true;
  const session = valueOf(observation.engine)?.session;
  return report !== null && report.session === session && (!link || isAbout(link.nic, report));
}

/** An end that is to be set up in the VM, and why. */
interface DueEnd {
  readonly why: string;
  readonly end: VmEnd & Pick<PrepareGuest, 'key'>;
}

/** Once a session, for each generation, for each NIC, and for each address of the Mac that is let in; else null. */
function endDue({ config, observation, memory, link: { link } }: FamilyJudgement): DueEnd | null {
  const engine = valueOf(observation.engine);
  if (!config.guest.manage || !engine || !link) return null;
  const { generation } = observation.dataPath;
  const { nic, macAddress, vmAddress, network, isGiven, sources } = link;
  const report = memory.guest?.session === engine.session ? memory.guest : null;
  const isOther = report !== null && !isAbout(nic, report);
  const isLetIn = report?.source === (isGiven === true ? sourceOf(macAddress, sources) : undefined);
  if (report && !isOther && isLetIn && report.observedGeneration === generation) return null;
  const again = isOther
    ? 'another NIC of the VM is on a network of the Mac'
    : isLetIn
      ? 'what answered through the link no longer does'
      : `the VM lets in another address than the Mac’s, ${macAddress}`;
  return {
    why: report ? again : `the VM has not been set up in session ${engine.session}`,
    end: {
      key: keyOf(`guest ${engine.session}`, vmAddress),
      vmAddress,
      prefix: network.bits.length,
      ...given(isGiven),
      macAddress,
      ...(sources ? { sources } : {}),
      generation,
    },
  };
}

/** Sets the VM's end up, and with it that of `ipv6`, whose address on the Mac may be on its way. */
export function prepareSteps(judgement: FamilyJudgement, ipv6: FamilyJudgement | null = null): Step[] {
  const { observation, link: state } = judgement;
  const engine = valueOf(observation.engine);
  const due = endDue(judgement);
  // With our end addressed first, the routes are added while the VM is worked on.
  if (!engine || !due || state.kind !== 'up') return [];
  const { session, version: engineVersion } = engine;
  const { nic, mtu } = state.link;
  const beside = ipv6 && endDue(ipv6);
  return [
    {
      kind: 'prepare-guest',
      why: due.why,
      ...due.end,
      ...{ session, engineVersion, nic, mtu },
      ...(beside ? { ipv6: beside.end } : {}),
    },
  ];
}

/** Undoes it in this session; where the VM has no such NIC, the agent’s image is in its engine all the same. */
export function releaseSteps(
  { family, config, observation, link: state }: FamilyJudgement,
  why: string,
): Step[] {
  const engine = valueOf(observation.engine);
  const { link, hasNic } = state;
  if (!engine || !config.guest.manage) return [];
  const { nic, vmAddress, network, isGiven } = link ?? unseen[family];
  return [
    {
      kind: 'release-guest',
      key: keyOf(`release ${engine.session}`, vmAddress),
      why,
      session: engine.session,
      hasNic,
      nic,
      vmAddress,
      prefix: network.bits.length,
      ...given(isGiven),
    },
  ];
}

export const guest: Judge<'Guest'> = ({ config, observation, memory, link: { link } }, failures) => {
  if (!config.guest.manage)
    return yes('NotManaged', 'guest.manage is false: the VM’s side is left to its operator');
  const failure = failed('Guest', failures);
  if (failure) return failure;
  const engine = valueOf(observation.engine);
  if (!engine) return no('NoEngine', 'Docker Engine does not answer (yet)');
  const report = memory.guest;
  return report?.session === engine.session && (!link || isAbout(link.nic, report))
    ? yes(
        'Prepared',
        `${report.interface} has ${link?.vmAddress ?? 'its address'}; accept rule in ${report.rules.join(' and ')}`,
      )
    : no('NotPrepared', 'the VM’s interface and firewall are not set up yet');
};
