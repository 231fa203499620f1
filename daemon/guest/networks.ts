import { z } from 'zod';
import type { DockerNetwork } from '../observation.js';
import type { EngineClient } from './engine-client.js';

/** `GET /networks`, as far as it is needed. Lists may be null, and a config may lack its subnet. */
export const networksSchema = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Driver: z.string(),
    Scope: z.string().default('local'),
    Internal: z.boolean().default(false),
    Labels: z.record(z.string(), z.string()).nullish(),
    Options: z.record(z.string(), z.string()).nullish(),
    IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().optional() })).nullish() }).nullish(),
  }),
);

/** The engine's networks with every subnet they name, as it named them. */
export const toNetworks = (answer: z.infer<typeof networksSchema>): DockerNetwork[] =>
  answer.map((network) => ({
    id: network.Id,
    name: network.Name,
    driver: network.Driver,
    scope: network.Scope,
    internal: network.Internal,
    labels: network.Labels ?? {},
    options: network.Options ?? {},
    subnets: (network.IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet])),
  }));

const containersSchema = z.array(
  z.object({
    NetworkSettings: z
      .object({
        Networks: z.record(z.string(), z.object({ IPAddress: z.string().nullish() }).nullable()).nullish(),
      })
      .nullish(),
  }),
);

/** The running containers' addresses, as the engine gives them. */
export async function listContainers(engine: EngineClient): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ status: ['running'] }));
  const containers = await engine.json('GET', `/containers/json?filters=${filters}`, containersSchema);
  return containers.flatMap(({ NetworkSettings }) =>
    Object.values(NetworkSettings?.Networks ?? {}).flatMap((network) => network?.IPAddress ?? []),
  );
}
