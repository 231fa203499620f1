/**
 * What is said over the control socket, for both of its ends. HTTP and JSON:
 *
 *     GET  /v1/version   Version
 *     GET  /v1/status    Status
 *     POST /v1/up, /v1/down, /v1/restart, /v1/restore, /v1/leave   Outcome
 *
 * `restore` and `leave` are answered on root’s own socket alone; on the other one they are `RootOnly` (403).
 *
 * Anything else is answered by an `ErrorAnswer` with a fitting HTTP status.
 */
import { z } from 'zod';

export const phaseSchema = z.enum(['ready', 'idle', 'down', 'working', 'degraded', 'blocked']);

/** The one word that sums everything up. */
export type Phase = z.infer<typeof phaseSchema>;

export const conditionSchema = z.object({
  /** e.g. `TapAttached`; a string, so that an older CLI can show what a newer daemon says. */
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  /** CamelCase, for programs. */
  reason: z.string(),
  /** For people: what it means and what to do. */
  message: z.string(),
  /** ISO 8601: since when status and reason are what they are. */
  since: z.string(),
});

export type Condition = z.infer<typeof conditionSchema>;

export const routeSchema = z.object({
  subnet: z.string(),
  /** Name of the Docker network. */
  network: z.string(),
  state: z.enum(['routed', 'pending', 'waiting', 'yielded', 'refused', 'foreign']),
  why: z.string(),
});

export type RouteState = z.infer<typeof routeSchema>;

export const namesSchema = z.object({
  /** The domain that they are in, e.g. `docker`. */
  zone: z.string(),
  names: z
    .array(
      z.object({
        /** Below the zone; whatever stands before it is answered like it. */
        name: z.string(),
        addresses: z.array(z.string()).readonly(),
        /** What it stands for, for people: `service web of shop`. */
        of: z.string(),
      }),
    )
    .readonly(),
  /** How many there are besides these. */
  more: z.int(),
  /** Names that several claim, and such as cannot be any: each for people. */
  problems: z.array(z.string()).readonly(),
});

export type Names = z.infer<typeof namesSchema>;

const vmSchema = z.object({
  id: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  startedWithTap: z.boolean(),
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

export const statusSchema = z.object({
  version: z.string(),
  pid: z.int(),
  /** ISO 8601: when the daemon started. */
  since: z.string(),
  phase: phaseSchema,
  conditions: z.array(conditionSchema).readonly(),
  routes: z.array(routeSchema).readonly(),
  /** `null`: there are to be none, or they are not known now; an older daemon has none. */
  names: namesSchema.nullable().optional(),
  /** `null`: there is none; left out: not known. */
  vm: vmSchema.nullable().optional(),
  engine: engineSchema.nullable().optional(),
  bundles: z.array(bundleSchema).readonly().optional(),
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
