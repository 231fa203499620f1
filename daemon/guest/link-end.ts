import { z } from 'zod';
import type { GuestReport } from '../observation.js';
import { StepError } from '../steps.js';
import { removeImage, withAgent } from './agent-container.js';
import { type GuestEnd, prepare, release } from './agent-work.js';
import type { EngineClient } from './engine-client.js';

export interface PrepareParameters extends GuestEnd {
  readonly session: string;
  readonly mtu: number;
  /** The address of the Mac's end. */
  readonly macAddress: string;
  readonly repairs: number;
  readonly log: (message: string) => void;
}

/**
 * Engine 28 drops what comes from outside the bridge in `raw PREROUTING`, per container (iptabler/endpoint.go). A
 * version without a number (`dev`) is taken for a newer one: elsewhere the rule does no harm.
 */
export const needsRawRule = (engineVersion: string): boolean => !(Number.parseInt(engineVersion, 10) < 28);

const infoSchema = z.object({ FirewallBackend: z.object({ Driver: z.string() }).nullish() });

/** Engine 29 can keep its rules in nftables of its own, where no accept rule of ours outweighs its drops. */
async function refuseNftables(engine: EngineClient): Promise<void> {
  // Older ones know iptables alone, and are slow to tell about themselves.
  if (Number.parseInt(engine.version, 10) < 29) return;
  const { FirewallBackend } = await engine.json('GET', '/info', infoSchema);
  if (FirewallBackend?.Driver.startsWith('nftables') === true)
    throw new StepError(
      'Docker Engine keeps its firewall in nftables, which lets nothing in from outside: in Docker’s settings, ' +
        'Docker Engine, set "firewall-backend": "iptables"',
      { reason: 'FirewallBackendUnsupported', blocked: true },
    );
}

/** Sets the VM's end of the link up: address, MTU, accept rules where this engine needs them. Idempotent. */
export async function prepareGuest(engine: EngineClient, how: PrepareParameters): Promise<GuestReport> {
  const { session, repairs, log } = how;
  await refuseNftables(engine);
  const needsRaw = needsRawRule(engine.version);
  const report = await withAgent(engine, (agent) => prepare(agent, { ...how, needsRaw }), log);
  return { session, ...report, repairs };
}

/**
 * Takes our rules, our address and our image out of the VM again. `attached`: whether the VM has our NIC; without it
 * nothing was ever done there.
 */
export async function releaseGuest(
  engine: EngineClient,
  { attached, ...end }: GuestEnd & { readonly attached: boolean },
): Promise<void> {
  if (attached)
    await withAgent(
      engine,
      (agent) => release(agent, end),
      () => undefined,
    );
  await removeImage(engine);
}
