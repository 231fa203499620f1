/**
 * What is said over the control socket, for both of its ends. HTTP and JSON:
 *
 *     GET  /v1/version   Version
 *     GET  /v1/status    Status
 *     GET  /v1/watch     Status after Status as it changes, each on a line of its own
 *     GET  /v1/metrics   text for Prometheus
 *     POST /v1/up, /v1/down, /v1/restart, /v1/restore, /v1/leave   Outcome
 *
 * `restore` and `leave` are answered on root’s own socket alone; on the other one they are `RootOnly` (403).
 *
 * Anything else is answered by an `ErrorAnswer` with a fitting HTTP status.
 */
import * as z from 'zod';

export const phaseSchema = z.enum(['ready', 'idle', 'down', 'working', 'degraded', 'blocked']);

/** The one word that sums everything up. */
export type Phase = z.infer<typeof phaseSchema>;

export const conditionSchema = z.object({
  /** A string, so that an older CLI can show what a newer daemon says. */
  type: z.string().describe('e.g. TapAttached'),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().describe('CamelCase, for programs'),
  message: z.string().describe('For people: what it means and what to do'),
  since: z.string().describe('ISO 8601: since when status and reason are what they are'),
});

export type Condition = z.infer<typeof conditionSchema>;

export const routeSchema = z.object({
  subnet: z.string().describe('Canonical CIDR, or - for a network that has none'),
  network: z.string().describe('Name of the Docker network, or routes.extra'),
  state: z.enum(['routed', 'pending', 'waiting', 'yielded', 'refused', 'foreign']),
  why: z.string(),
});

export type Route = z.infer<typeof routeSchema>;

export type RouteState = Route['state'];

export const namesSchema = z.object({
  zone: z.string().describe('The domain that they are in, e.g. docker'),
  names: z
    .array(
      z.object({
        name: z.string().describe('Below the zone; whatever stands before it is answered like it'),
        addresses: z.array(z.string()).readonly(),
        of: z.string().describe('What it stands for, for people: service web of shop'),
      }),
    )
    .readonly(),
  more: z.int().describe('How many there are besides these'),
  problems: z
    .array(z.string())
    .readonly()
    .describe('Names that several claim, and such as cannot be any: each for people'),
});

export type Names = z.infer<typeof namesSchema>;

const vmSchema = z.object({
  id: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  startedWithTap: z.boolean(),
  /** By what it runs (`VmKind`); left out: hyperkit. */
  kind: z.string().optional(),
  runtime: z
    .object({ name: z.string() })
    .optional()
    .describe('Whose it is, e.g. colima; left out: Docker Desktop'),
});

const engineSchema = z.object({ version: z.string(), networks: z.int() });

const bundleSchema = z.object({
  app: z.string(),
  hyperkit: z.string(),
  version: z.string().nullable(),
  /** What stands at hyperkit's own path (`HyperkitKind`). */
  target: z.string(),
  original: z.string(),
  /** The original that was put aside last, as the journal has it. */
  saved: z
    .object({ sha256: z.string(), size: z.number(), version: z.string().nullable() })
    .nullable()
    .optional(),
});

const linkStateSchema = z.enum(['up', 'present', 'absent', 'unknown']);

/** The link between the Mac and the VM. */
const linkSchema = z.object({
  maker: z.string().describe('Who makes it: tap or vmnet'),
  told: z.string().optional().describe('What it is, for people; while it is up and wanted'),
  interface: z.string().describe('The Mac’s, e.g. tap1'),
  address: z.string().describe('The Mac’s end'),
  peer: z.string().describe('The VM’s end: the gateway of every route'),
  network: z.string(),
  mtu: z.int().describe('Bytes'),
  state: linkStateSchema,
  roundTrip: z.number().optional().describe('Milliseconds that the last answer over it took'),
  ipv6: z
    .object({
      address: z.string().describe('The Mac’s end'),
      peer: z.string().describe('The VM’s end: the gateway of every IPv6 route'),
      network: z.string(),
      state: linkStateSchema,
    })
    .optional()
    .describe('The same by IPv6; left out: no network of Docker’s needs it'),
});

/** A running container of the user's. */
const containerSchema = z.object({
  id: z.string(),
  name: z.string(),
  project: z.string().nullable().describe('Of docker compose, by the container’s labels'),
  service: z.string().nullable(),
  /** Its addresses, with the name of the network that each is on; of IPv6 those that are reached. */
  endpoints: z.array(z.object({ network: z.string(), address: z.string() })).readonly(),
  ports: z.array(z.int()).readonly().describe('TCP ports that its image exposes, or that are published'),
});

export type RunningContainer = z.infer<typeof containerSchema>;

/** Of a status: grows when a key goes, or changes its meaning. Keys may come without that. */
export const statusFormat = 1;

export const statusSchema = z.object({
  format: z.int().optional().describe('Grows when a key goes or changes its meaning'),
  version: z.string().describe('Of the daemon'),
  pid: z.int(),
  since: z.string().describe('ISO 8601: when the daemon started'),
  phase: phaseSchema,
  conditions: z.array(conditionSchema).readonly(),
  routes: z.array(routeSchema).readonly(),
  names: namesSchema
    .nullable()
    .optional()
    .describe('null: there are to be none, or they are not known now; left out by an older daemon'),
  vm: vmSchema.nullable().optional().describe('null: there is none; left out: not known'),
  engine: engineSchema.nullable().optional(),
  bundles: z.array(bundleSchema).readonly().optional().describe('Docker.apps with hyperkit'),
  withoutHyperkit: z
    .array(z.string())
    .readonly()
    .optional()
    .describe('Docker.apps without it, by their paths'),
  link: linkSchema.nullable().optional(),
  containers: z.array(containerSchema).readonly().optional().describe('Those that run; left out: not known'),
  moreContainers: z.int().optional().describe('How many more run than there is room for; left out: none'),
});

export type Status = z.infer<typeof statusSchema>;

export const versionSchema = z.object({ version: z.string(), pid: z.int() });

export type Version = z.infer<typeof versionSchema>;

export const outcomeSchema = z.object({
  done: z.boolean(),
  /** What was not possible, each for people. */
  problems: z.array(z.string()).readonly(),
});

/** Whether what was asked for is done, and what of it was not possible. */
export type Outcome = z.infer<typeof outcomeSchema>;

export const errorSchema = z.object({
  error: z.object({
    /** CamelCase: `Starting`, `NotFound`, `MethodNotAllowed`, `TooLarge`, `TimedOut`, `RootOnly`, `Busy`, `Failed`. */
    code: z.string(),
    message: z.string(),
  }),
});

export type ErrorAnswer = z.infer<typeof errorSchema>;

/** What a person can ask the daemon to do. */
export const actions = ['up', 'down', 'restart', 'restore', 'leave'] as const;

export type Action = (typeof actions)[number];

/** What root alone can ask for, on its own socket: it changes what is in Docker.app, or removes tuntapd. */
export const rootActions: readonly Action[] = ['restore', 'leave'];

/** How long the daemon may take for an action before it answers that it is not done, in ms. */
export const actionTimeout = 110_000;
