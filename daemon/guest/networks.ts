import { z } from 'zod';
import { parsePrefix } from '../lib/prefix.js';
import type { DockerNetwork } from '../core/observation.js';
import { type CallOptions, type EngineClient, unlessGone } from './engine-client.js';
import { untrustedList, untrustedRecord, untrustedSome } from './json.js';

const texts = untrustedRecord(z.string());

/**
 * A network as the engine tells it, as far as it is needed. Lists may be null, and a config may lack its subnet. What
 * of it makes no sense counts against it, and against it alone.
 */
const networkSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: z.string(),
  Scope: z.string().default('local').catch(''),
  Internal: z.boolean().default(false).catch(true),
  Labels: texts,
  Options: texts,
  IPAM: z
    .object({ Config: untrustedList(z.object({ Subnet: z.string() })).nullish() })
    .nullish()
    .catch(null),
});

/** With every subnet that it names, as it named them. */
const toNetwork = (network: z.infer<typeof networkSchema>): DockerNetwork => ({
  id: network.Id,
  name: network.Name,
  driver: network.Driver,
  scope: network.Scope,
  internal: network.Internal,
  labels: network.Labels,
  options: network.Options,
  subnets: (network.IPAM?.Config ?? []).map(({ Subnet }) => {
    const prefix = parsePrefix(Subnet);
    return { text: prefix?.text ?? Subnet, prefix };
  }),
});

/** Null for what has neither id, name nor driver. */
function readNetwork(said: unknown): DockerNetwork | null {
  const { data } = networkSchema.safeParse(said);
  return data ? toNetwork(data) : null;
}

/** All of the engine's networks, in its order. Throws when what it says makes no sense. */
export async function listNetworks(
  engine: EngineClient,
  options: CallOptions,
): Promise<readonly DockerNetwork[]> {
  return (await engine.json('GET', '/networks', untrustedSome(networkSchema), options)).map(toNetwork);
}

async function askNetwork(
  engine: EngineClient,
  id: string,
  options: CallOptions,
): Promise<DockerNetwork | null> {
  const said = await engine
    .json('GET', `/networks/${encodeURIComponent(id)}`, z.unknown(), options)
    .catch(unlessGone);
  const found = readNetwork(said);
  // The engine also looks for names that begin so.
  return found?.id === id ? found : null;
}

/**
 * What is known of the engine's networks, with those of these ids asked for anew: a list of hundreds costs the engine
 * more than all the rest of a change. Those that are gone are left out, new ones come last.
 */
export async function refreshNetworks(
  engine: EngineClient,
  known: readonly DockerNetwork[],
  ids: readonly string[],
  options: CallOptions,
): Promise<readonly DockerNetwork[]> {
  const asked = await Promise.all(ids.map((id) => askNetwork(engine, id, options)));
  const found = new Map(asked.flatMap((network) => (network ? [[network.id, network] as const] : [])));
  const kept = known.flatMap((network): DockerNetwork[] => {
    if (!ids.includes(network.id)) return [network];
    const now = found.get(network.id);
    found.delete(network.id);
    return now ? [now] : [];
  });
  return [...kept, ...found.values()];
}
