import * as z from 'zod';
import type { GuestNic, GuestReport } from '../core/observation.js';
import { type PrepareGuest, StepError, type StepReason, type VmEnd } from '../core/steps.js';
import { AgentError, type Conversation } from './agent/conversation.js';
import { isFit, removeImage, withAgent } from './agent-container.js';
import { type GuestEnd, lookAtNics, prepare, release } from './agent-work.js';
import { withDeadline } from './deadline.js';
import type { EngineClient } from './engine-client.js';
import { isIpv6 } from '../lib/prefix.js';
import { messageOf } from '../lib/text.js';
import { NetlinkError } from './netlink.js';

/** For all that is asked of an engine in one step, in ms. */
const deadline = 120_000;

interface Limits {
  /** Aborts when the step is no longer wanted. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all of it. */
  readonly timeout?: number | undefined;
}

export interface PrepareParameters
  extends Limits, Pick<PrepareGuest, 'session' | 'engineVersion' | 'nic' | 'mtu' | 'ipv6'>, VmEnd {
  readonly log: (message: string) => void;
}

/**
 * Engine 28 drops what comes from outside the bridge in `raw PREROUTING`, per container (iptabler/endpoint.go). A
 * version without a number (`dev`) is taken for a newer one: elsewhere the rule does no harm.
 */
export const needsRawRule = (engineVersion: string): boolean => !(Number.parseInt(engineVersion, 10) < 28);

const infoSchema = z.object({ FirewallBackend: z.object({ Driver: z.string() }).nullish() });

/** Engine 29 can keep its rules in nftables of its own, where no accept rule of ours outweighs its drops. */
async function refuseNftables(engine: EngineClient, engineVersion: string): Promise<void> {
  // Older ones know iptables alone, and are slow to tell about themselves.
  if (Number.parseInt(engineVersion, 10) < 29) return;
  const { FirewallBackend } = await engine.json('GET', '/info', infoSchema);
  if (FirewallBackend?.Driver.startsWith('nftables') === true)
    throw new StepError(
      'Docker Engine keeps its firewall in nftables, which lets nothing in from outside: in Docker’s settings, ' +
        'Docker Engine, set "firewall-backend": "iptables"',
      { condition: 'Guest', reason: 'FirewallBackendUnsupported', blocked: true },
    );
}

let last: Promise<unknown> = Promise.resolve();

/**
 * After the one before, however that ended: a configuration that is taken while an agent works begins a new run of the
 * daemon in the same process.
 */
function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work, work);
  last = next.catch(() => undefined);
  return next;
}

/** `work` with an engine that has `timeout` ms for all that it is asked, once nobody else is at work in the VM. */
const inTurn = <T>(
  engine: EngineClient,
  { signal, timeout = deadline }: Limits,
  work: (bounded: EngineClient, signal: AbortSignal) => Promise<T>,
): Promise<T> => oneAtATime(() => withDeadline(engine, { milliseconds: timeout, signal }, work));

/** What the VM's kernel or the agent refused, as a reason; everything else as it is. */
async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AgentError || error instanceof NetlinkError)
      throw new StepError(`the VM refused: ${error.message}`, {
        condition: 'Guest',
        reason: 'GuestRefused',
        cause: error,
      });
    throw error;
  }
}

/** What failed, as a matter of the way by IPv6: its own reasons stay. `key`: of the part of a step that it was. */
function ofIpv6(error: unknown, key: string | null = null): StepError {
  const known = error instanceof StepError ? error : null;
  const why: StepReason =
    known?.why.condition === 'Ipv6' ? known.why : { condition: 'Ipv6', reason: 'GuestFailed' };
  return new StepError(messageOf(error), { ...why, blocked: known?.blocked === true, key, cause: error });
}

/** What fails on the way by IPv6 as a matter of that alone: what it has in common with IPv4 is told there. */
async function asOfFamily<T>({ vmAddress }: Pick<GuestEnd, 'vmAddress'>, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const isGuests = error instanceof StepError && error.why.condition === 'Guest';
    throw isIpv6(vmAddress) && isGuests ? ofIpv6(error) : error;
  }
}

/** What the VM has of network interfaces. Changes nothing there. */
export async function lookIntoGuest(
  engine: EngineClient,
  { log, ...limits }: Limits & Pick<PrepareParameters, 'log'>,
): Promise<readonly GuestNic[]> {
  const { result, gone } = await inTurn(engine, limits, (bounded, signal) =>
    withAgent(bounded, { signal, log }, (agent) => refusing(lookAtNics(agent))),
  );
  void oneAtATime(() => gone);
  return result;
}

/**
 * Sets the VM's end of the link up: address, MTU, accept rules where this engine needs them; then, in the same
 * conversation, that by IPv6 where there is one. Idempotent. `onReady` hears of each end once it is set up. Rejects with
 * StepError, which has the key of `ipv6` where only that failed.
 */
export async function prepareGuest(
  engine: EngineClient,
  how: PrepareParameters,
  onReady: (report: GuestReport, end: VmEnd) => Promise<void>,
): Promise<void> {
  const { session, engineVersion, nic, mtu, ipv6, log } = how;
  const setUp = async (agent: Conversation, end: VmEnd): Promise<void> => {
    const needsRaw = needsRawRule(engineVersion);
    const done = await refusing(prepare(agent, { nic, mtu, ...end, needsRaw }));
    const { generation, isGiven = false } = end;
    await onReady({ session, ...done, observedGeneration: generation, ...(isGiven ? { nic } : {}) }, end);
  };
  const prepared = inTurn(engine, how, async (bounded, signal) => {
    await refuseNftables(bounded, engineVersion);
    return withAgent(bounded, { signal, log }, async (agent) => {
      await setUp(agent, how);
      if (ipv6)
        await setUp(agent, ipv6).catch((error: unknown) => {
          throw ofIpv6(error, ipv6.key);
        });
    });
  });
  const { gone } = await asOfFamily(how, prepared);
  // The way is open; the container's end need not be waited for, but by the next one.
  void oneAtATime(() => gone);
}

/** Takes our rules out of the VM and, where we set it, our address: of one family after the other. */
async function releaseEnds(
  engine: EngineClient,
  ends: readonly GuestEnd[],
  signal: AbortSignal,
): Promise<void> {
  const work = async (agent: Conversation): Promise<void> => {
    for (const end of ends) await refusing(release(agent, end));
  };
  const { gone } = await withAgent(engine, { signal, log: () => undefined }, work);
  await gone;
}

/**
 * Takes our rules, our address and our image out of the VM again. `hasNic`: whether the VM has our NIC; without it
 * nothing was ever done there.
 */
export async function releaseGuest(
  engine: EngineClient,
  { hasNic, signal: outer, timeout, ...end }: GuestEnd & Limits & { readonly hasNic: boolean },
): Promise<void> {
  // Where no agent runs, nothing was ever done.
  if (!isFit(engine.architecture)) return;
  const released = inTurn(engine, { signal: outer, timeout }, async (bounded, signal) => {
    if (hasNic) await releaseEnds(bounded, [end], signal);
    await removeImage(bounded);
  });
  await asOfFamily(end, released);
}

/** Ends, one of each family, of which only our rules are known, by their mark. */
const rulesAlone = ['0.0.0.0', '::'].map((vmAddress): GuestEnd => ({
  nic: '',
  vmAddress,
  prefix: 0,
  isGiven: true,
}));

/**
 * The same in a VM that is no longer followed: its rules and the image, without waiting for who is at work in another VM,
 * and without keeping anybody waiting there.
 */
export async function leaveGuest(
  engine: EngineClient,
  { signal, timeout = deadline }: Limits,
): Promise<void> {
  if (!isFit(engine.architecture)) return;
  await withDeadline(engine, { milliseconds: timeout, signal }, async (bounded, ended) => {
    await releaseEnds(bounded, rulesAlone, ended);
    await removeImage(bounded);
  });
}
