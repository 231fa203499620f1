/** What the daemon does in the VM by way of the agent: the VM's end of the link, set up and taken away again. */
import type { ReasonOf } from '../api/reasons/registry.js';
import type { GuestNic, GuestReport } from '../core/observation.js';
import { type Family, isIpv6, overlaps, parsePrefix } from '../lib/prefix.js';
import { sourceOf } from '../core/guest.js';
import { StepError } from '../core/steps.js';
import { plain } from '../lib/text.js';
import { AgentError, type Conversation } from './agent/conversation.js';
import { arpRequest } from './arp.js';
import { findDockerd } from './dockerd.js';
import {
  accept,
  type Chain,
  changeChain,
  changeOf,
  close,
  type Iptables,
  IptablesMissing,
  iptablesOf,
  listChain,
} from './firewall.js';
import {
  acknowledged,
  ask,
  type GuestInterface,
  type GuestRoute,
  readAddresses,
  readLinks,
  readRoutes,
  routeProtocol,
} from './netlink.js';

/** The VM's end of the link. */
export interface GuestEnd {
  readonly nic: string;
  readonly vmAddress: string;
  readonly prefix: number;
  /** Whether it has that address of its own: NIC and address are let be. Left out: no. */
  readonly isGiven?: boolean;
}

const raw: Chain = { table: 'raw', chain: 'PREROUTING' };
const dockerUser: Chain = { table: 'filter', chain: 'DOCKER-USER' };
const forward: Chain = { table: 'filter', chain: 'FORWARD' };

const refuse = (reason: ReasonOf<'Guest'>, words: string, blocked = false): StepError =>
  new StepError(words, { condition: 'Guest', reason, blocked });

/** A row of the VM that has a part of the link's network, or null. Default routes are nobody's claim. Pure. */
export function claimOn(
  { vmAddress, prefix }: Pick<GuestEnd, 'vmAddress' | 'prefix'>,
  rows: readonly GuestRoute[],
  nic: number,
): GuestRoute | null {
  const link = parsePrefix(`${vmAddress}/${prefix}`);
  return (
    rows.find((row) => {
      if (!row.isMain || row.address === null || row.prefix === 0 || row.index === nic) return false;
      const range = parsePrefix(`${row.address}/${row.prefix}`);
      return link !== null && range !== null && overlaps(range, link);
    }) ?? null
  );
}

/**
 * By what the VM's own traffic leaves it: its network cards, and whatever has a default route. Bridges, which the
 * kernel makes up, are none. Pure.
 */
export const waysOut = (
  links: readonly GuestInterface[],
  rows: readonly GuestRoute[],
  nic: number,
): readonly string[] => {
  const defaults = new Set(rows.filter(({ address }) => address === null).map(({ index }) => index));
  return links
    .filter(({ index, isCard }) => index !== nic && (isCard || defaults.has(index)))
    .map(({ name }) => name);
};

/** Whether a default route leaves by this interface. */
const isWayOut = (rows: readonly GuestRoute[], nic: number): boolean =>
  rows.some(({ address, index }) => address === null && index === nic);

/** What the VM has of interfaces, with what tells a NIC on a network of the Mac. Changes nothing. */
export async function lookAtNics(agent: Conversation): Promise<readonly GuestNic[]> {
  const kernel = (message: Buffer) => agent.netlink(routeProtocol, message);
  const [links, rows, ipv4, ipv6] = await Promise.all([
    kernel(ask.links()).then(readLinks),
    kernel(ask.routes(4)).then(readRoutes),
    kernel(ask.addresses(4)).then(readAddresses),
    kernel(ask.addresses(6)).then(readAddresses),
  ]);
  // fe80::/10 is every card's.
  const global6 = ipv6.filter((own) => !/^fe[89ab]/.test(own.address));
  return links.map(({ index, name, mac, isCard }) => ({
    name: plain(name, 15),
    mac,
    isCard,
    hasDefaultRoute: isWayOut(rows, index),
    addresses: ipv4.filter((own) => own.index === index).map(({ address, prefix }) => ({ address, prefix })),
    hasIpv6: global6.some((own) => own.index === index),
    ipv6: global6.filter((own) => own.index === index).map(({ address, prefix }) => ({ address, prefix })),
  }));
}

/** Has chains begin with our rules: `raw` that of its table, null where none is needed. Resolves to the chains that have some. */
async function letIn(
  iptables: Iptables,
  inRaw: readonly (readonly string[])[] | null,
  inFilter: readonly (readonly string[])[],
): Promise<readonly string[]> {
  const rules: string[] = [];
  const begin = async (chain: Chain, wanted: readonly (readonly string[])[]): Promise<string | null> => {
    const listed = await listChain(iptables, chain);
    if ('refused' in listed) return listed.refused;
    await changeChain(iptables, chain, changeOf(listed, wanted));
    rules.push(`${chain.table} ${chain.chain}`);
    return null;
  };
  if (inRaw) {
    const refused = await begin(raw, inRaw);
    if (refused !== null) throw refuse('GuestRefused', `the raw table cannot be listed: ${refused}`);
  }
  if ((await begin(dockerUser, inFilter)) !== null) {
    const refused = await begin(forward, inFilter);
    if (refused !== null) throw refuse('GuestRefused', `the filter table cannot be listed: ${refused}`);
  }
  return rules;
}

/** Takes our rules out of every chain that may have some. */
async function letNobodyIn(iptables: Iptables): Promise<void> {
  for (const chain of [raw, dockerUser, forward]) {
    const listed = await listChain(iptables, chain);
    if (!('refused' in listed)) await changeChain(iptables, chain, changeOf(listed, []));
  }
}

/** No rules, where a dockerd without ip6tables keeps nobody out by IPv6. */
const noneBy =
  (family: Family) =>
  (error: unknown): readonly string[] => {
    if (family === 6 && error instanceof IptablesMissing) return [];
    throw error;
  };

/**
 * Rejects with StepError where the VM has no way by IPv6. Forwarding is only read: to switch it on would take the VM's
 * own default route away, where a router had announced that (addrconf.c).
 */
async function mustForward(agent: Conversation): Promise<void> {
  const found = await agent.read('/proc/sys/net/ipv6/conf/all/forwarding').catch((error: unknown) => {
    if (error instanceof AgentError && error.code === 'ENOENT') return null;
    throw error;
  });
  if (found?.kind !== 'file')
    throw new StepError('IPv4 only: the VM’s kernel has no IPv6', {
      condition: 'Ipv6',
      reason: 'NotInVm',
      blocked: true,
    });
  if (found.bytes.toString('latin1').trim() === '0')
    throw new StepError('IPv4 only: the VM does not forward IPv6 (net.ipv6.conf.all.forwarding is 0)', {
      condition: 'Ipv6',
      reason: 'NotForwarding',
      blocked: true,
    });
}

/**
 * Sets the VM's end of the link up by the family of its address: NIC, MTU, address, rules. Idempotent. Resolves to the
 * NIC's name, the chains that have rules of ours, and whom alone these let in, if not whoever is there. Rejects with
 * StepError: `NoTapNic`, `NoDockerd`, `LinkCollision`, `GuestRefused`; by IPv6 also `NotInVm`, `NotForwarding`.
 */
export async function prepare(
  agent: Conversation,
  end: GuestEnd & {
    readonly mtu: number;
    readonly macAddress: string;
    readonly sources?: readonly string[];
    readonly needsRaw: boolean;
  },
): Promise<Omit<GuestReport, 'session' | 'observedGeneration'>> {
  const { nic: mac, vmAddress: address, prefix, isGiven = false, mtu, macAddress, needsRaw } = end;
  const family = isIpv6(address) ? 6 : 4;
  const kernel = (message: Buffer) => agent.netlink(routeProtocol, message);
  if (family === 6) await mustForward(agent);
  const [links, rows, addresses, dockerd] = await Promise.all([
    kernel(ask.links()).then(readLinks),
    kernel(ask.routes(family)).then(readRoutes),
    kernel(ask.addresses(family)).then(readAddresses),
    findDockerd(agent),
  ]);
  const nic = links.find((link) => link.mac === mac);
  if (!nic) throw refuse('NoTapNic', `no interface with MAC ${mac} in the VM`);
  if (!dockerd) throw refuse('NoDockerd', 'no dockerd in the VM’s own namespaces');
  const claim = claimOn(end, rows, nic.index);
  if (claim)
    throw refuse(
      'LinkCollision',
      `the VM itself has ${claim.address ?? ''}/${claim.prefix} dev ${links.find(({ index }) => index === claim.index)?.name ?? '?'}, which overlaps the link’s network: ${isGiven ? 'take it away there' : `set ${family === 4 ? 'tap.address and tap.peer' : 'ipv6.address and ipv6.peer'} to a pair that nobody uses`}`,
      true,
    );

  if (!isGiven) {
    acknowledged(await kernel(ask.bringUp(nic.index, mtu)));
    const hasAddress = addresses.some(
      (own) => own.index === nic.index && own.address === address && own.prefix === prefix,
    );
    if (!hasAddress) acknowledged(await kernel(ask.addAddress({ index: nic.index, address, prefix })));
  }

  // On a tap there is nobody but the Mac; a network of macOS's has every other VM on it, too.
  const sources = isGiven ? (end.sources ?? [macAddress]) : [undefined];
  const ways = waysOut(links, rows, nic.index);
  // By a NIC that is a way out itself what the VM has on no bridge would go back to the Mac.
  const closed = isWayOut(rows, nic.index) ? [...ways, nic.name] : ways;
  const open = sources.map((source) => accept(nic.name, source));
  const filter = [...closed.map((way) => close(nic.name, way)), ...open];
  const rules = await letIn(iptablesOf(agent, dockerd, family), needsRaw ? open : null, filter).catch(
    noneBy(family),
  );

  // A Mac that asked for us before we were here waits a second before it asks again, and after some times in vain tells
  // whoever tries that the host is down. Our asking for it answers that, and lets through what waits. By IPv6 its asking
  // again is waited for.
  if (family === 4) await agent.announce(nic.index, arpRequest({ mac, sender: address, target: macAddress }));
  return { interface: nic.name, rules, ...(isGiven ? { source: sourceOf(macAddress, end.sources) } : {}) };
}

/** Takes our rules out of the VM and, where we set it, our address, and the NIC down. What is gone already is no fault. */
export async function release(
  agent: Conversation,
  { nic: mac, vmAddress: address, prefix, isGiven = false }: GuestEnd,
): Promise<void> {
  const family = isIpv6(address) ? 6 : 4;
  const kernel = (message: Buffer) => agent.netlink(routeProtocol, message);
  const [links, addresses, dockerd] = await Promise.all([
    kernel(ask.links()).then(readLinks),
    kernel(ask.addresses(family)).then(readAddresses),
    findDockerd(agent),
  ]);
  if (!dockerd) throw refuse('NoDockerd', 'no dockerd in the VM’s own namespaces');
  await letNobodyIn(iptablesOf(agent, dockerd, family)).catch(noneBy(family));
  const nic = isGiven ? undefined : links.find((link) => link.mac === mac);
  if (!nic) return;
  for (const own of addresses)
    if (own.index === nic.index && own.address === address && own.prefix === prefix)
      acknowledged(await kernel(ask.removeAddress(own)));
  // The NIC is IPv4's to take down.
  if (family === 4) acknowledged(await kernel(ask.takeDown(nic.index)));
}
