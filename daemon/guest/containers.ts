import * as z from 'zod';
import type { Container, ContainerPort, Endpoint } from '../core/observation.js';
import { plain } from '../lib/text.js';
import { label } from './agent-container.js';
import { withDeadline } from './deadline.js';
import type { CallOptions, EngineClient } from './engine-client.js';
import { formatAddress, parseAddress } from './ip-address.js';
import { untrustedList, untrustedRecord } from './json.js';

/** Bounds of what is kept of one container; what is beyond is left out. */
const maxLabels = 200;
const maxLabel = 1000;
const maxNetworks = 100;
const maxPorts = 500;
const maxAliases = 100;
/** Characters of a name: more than any resolver takes. */
const maxName = 255;

const text = z.string().catch('');
const port = z.int().min(1).max(65_535);
const endpointSchema = z.object({
  EndpointID: text,
  NetworkID: text,
  IPAddress: text,
  GlobalIPv6Address: text,
});
const portSchema = z.object({
  PrivatePort: port,
  PublicPort: port.optional().catch(undefined),
  Type: z.enum(['tcp', 'udp', 'sctp']),
});
/** What of it makes no sense is left out, and nothing else with it. */
const containerSchema = z.object({
  Id: z.string().min(1),
  Names: untrustedList(z.string()).catch([]),
  State: text,
  Labels: untrustedRecord(z.string()),
  HostConfig: z.object({ NetworkMode: text }).catch({ NetworkMode: '' }),
  NetworkSettings: z.object({ Networks: untrustedRecord(endpointSchema) }).catch({ Networks: {} }),
  Ports: untrustedList(portSchema).catch([]),
});
type Listed = z.infer<typeof containerSchema>;
const listSchema = untrustedList(containerSchema);

/** The address in its usual form; null where there is none of this family. */
function addressIn(said: string, family: 4 | 6): string | null {
  const parsed = parseAddress(said.replace(/\/\d+$/, ''));
  return parsed?.family === family ? formatAddress(parsed.bytes) : null;
}

const toEndpoint = ([network, said]: [string, z.infer<typeof endpointSchema>]): Endpoint => ({
  id: plain(said.EndpointID, maxName),
  networkId: plain(said.NetworkID, maxName),
  network: plain(network, maxName),
  ipv4: addressIn(said.IPAddress, 4),
  ipv6: addressIn(said.GlobalIPv6Address, 6),
  aliases: null,
});

/** The engine names a port once for each address of the host that it is bound to. */
function portsOf(listed: Listed['Ports']): readonly ContainerPort[] {
  const ports = new Map<string, ContainerPort>();
  for (const { PrivatePort, PublicPort, Type } of listed.slice(0, maxPorts)) {
    const key = `${PrivatePort}/${Type}`;
    const published = new Set(ports.get(key)?.published);
    if (PublicPort !== undefined) published.add(PublicPort);
    ports.set(key, { port: PrivatePort, protocol: Type, published: [...published] });
  }
  return [...ports.values()];
}

/** A container has further names, with a second slash, where others `--link` to it. */
const ownName = /^\/[^/]+$/;

const toContainer = (listed: Listed): Container => ({
  id: plain(listed.Id, maxName),
  name: plain(listed.Names.find((name) => ownName.test(name))?.slice(1) ?? listed.Id.slice(0, 12), maxName),
  labels: Object.fromEntries(
    Object.entries(listed.Labels)
      .slice(0, maxLabels)
      .map(([key, value]) => [plain(key, maxName), plain(value, maxLabel)]),
  ),
  paused: listed.State === 'paused',
  networkMode: plain(listed.HostConfig.NetworkMode, maxName),
  endpoints: Object.entries(listed.NetworkSettings.Networks).slice(0, maxNetworks).map(toEndpoint),
  ports: portsOf(listed.Ports),
});

/** A paused container keeps its addresses, and no event tells that it goes on. */
const filters = encodeURIComponent(JSON.stringify({ status: ['running', 'paused'] }));

/** The containers that run or are paused, but for ours. One request; throws when there is no sensible answer. */
export async function listContainers(
  engine: EngineClient,
  options: CallOptions = {},
): Promise<readonly Container[]> {
  const listed = await engine.json('GET', `/containers/json?filters=${filters}`, listSchema, options);
  return listed.filter(({ Labels }) => !Object.hasOwn(Labels, label)).map(toContainer);
}

const inspectSchema = z.object({
  NetworkSettings: z.object({
    Networks: untrustedRecord(
      z.object({ EndpointID: text, Aliases: untrustedList(z.string()).nullable().catch(null) }),
    ),
  }),
});

/** Containers that are inspected for one list, so many at a time; the others have their turn at the next, which is soon. */
const maxInspected = 200;
const atOnce = 10;
/** Milliseconds for all of them: their addresses wait for it. */
const inspection = 5000;

/** Networks of the engine's own, in which nobody has an alias. */
const withoutAliases = ['bridge', 'host', 'none'];

/** Aliases by endpoint: none of either changes while the endpoint lives. */
type Aliases = ReadonlyMap<string, readonly string[]>;

/** Of what it tells; up to API 1.44 the container's short id is among them (Engine API version history, v1.45). */
async function askAliases(engine: EngineClient, { id }: Container): Promise<Aliases> {
  const found = await engine
    .json('GET', `/containers/${encodeURIComponent(id)}/json`, inspectSchema)
    .catch(() => null);
  return new Map(
    Object.values(found?.NetworkSettings.Networks ?? {}).map(({ EndpointID, Aliases: said }) => [
      plain(EndpointID, maxName),
      (said ?? [])
        .slice(0, maxAliases)
        .map((alias) => plain(alias, maxName))
        .filter((alias) => alias !== id.slice(0, 12)),
    ]),
  );
}

/**
 * Adds to containers the aliases that a list does not have: a request for each container of which an endpoint in a
 * network of its user's was not seen by the last call. Never rejects: whoever is not told of has `aliases: null`.
 */
export function rememberAliases(): (
  engine: EngineClient,
  containers: readonly Container[],
  signal: AbortSignal,
) => Promise<readonly Container[]> {
  let known: Aliases = new Map();
  return async (engine, containers, signal) => {
    const found = new Map(
      containers
        .flatMap(({ endpoints }) => endpoints)
        .filter(({ id }) => id !== '')
        .map(({ id, network }) => [id, known.get(id) ?? (withoutAliases.includes(network) ? [] : null)]),
    );
    const fresh = containers
      .filter(({ endpoints }) => endpoints.some(({ id }) => found.get(id) === null))
      .slice(0, maxInspected);
    await withDeadline(engine, { milliseconds: inspection, signal }, async (bounded) => {
      for (let at = 0; at < fresh.length; at += atOnce)
        await Promise.all(
          fresh.slice(at, at + atOnce).map(async (container) => {
            const asked = await askAliases(bounded, container);
            for (const [id, aliases] of asked) if (found.has(id)) found.set(id, aliases);
          }),
        );
    });
    known = new Map([...found].flatMap(([id, aliases]) => (aliases ? [[id, aliases] as const] : [])));
    return containers.map((container) => ({
      ...container,
      endpoints: container.endpoints.map((endpoint) => ({
        ...endpoint,
        aliases: found.get(endpoint.id) ?? null,
      })),
    }));
  };
}
