import { z } from 'zod';
import type { GuestReport } from '../observation.js';
import { StepError } from '../steps.js';
import { messageOf, plain } from '../text.js';
import { withDeadline } from './deadline.js';
import { type EngineClient, EngineError, unlessGone } from './engine-client.js';
import { helperScript } from './helper-script.js';
import { untrustedList } from './json.js';

/** Of every container that is ours. */
export const label = 'io.github.tuntapd';
/** Always the same: the engine itself refuses a second one, and nobody needs to look for the first. */
const containerName = 'tuntapd-helper';
/** Our own name for the image that worked, so that it is there next time, also offline. */
const ownImage = 'tuntapd/helper:local';
const mostTries = 5;
/**
 * Milliseconds for the start, the run and the removal of a container, and between two words about a pull: a VM that
 * starts everything at once is slow.
 */
const patience = 60_000;
/** For a pull in all, in ms: alpine is 4 MB. */
const pulling = 300_000;
/** For all that is asked of an engine in one step, in ms; where something may have to be pulled, that comes to it. */
const deadline = 120_000;
/** For the removal of what a step leaves behind, in ms. */
const tidying = 15_000;
/** Containers of ours that are removed at a time: more than one is never there, but an engine may say so. */
const maxSwept = 4;
/** Words of a pull that are logged, and troubles that are told. */
const mostSteps = 50;
const mostTroubles = 3;
/** Rules and errors of the helper that are kept: it makes two rules and ends with its first error. */
const maxRules = 4;
const maxErrors = 3;

export interface GuestParameters {
  readonly session: string;
  readonly mac: string;
  readonly address: string;
  readonly prefix: number;
}

export interface PrepareParameters extends GuestParameters {
  readonly mtu: number;
  /** The address of the Mac's end. */
  readonly far: string;
  readonly engineVersion: string;
  readonly repairs: number;
  readonly image: string | undefined;
  readonly pull: boolean;
  readonly log: (message: string) => void;
  /** Aborts when the step is no longer wanted. */
  readonly signal?: AbortSignal;
  /** Milliseconds for all of it. */
  readonly timeout?: number;
}

const imageSchema = z.object({
  Id: z.string(),
  RepoTags: untrustedList(z.string()).nullish(),
  Size: z.number().default(0),
});

/**
 * Engine 28 drops what comes from outside the bridge in `raw PREROUTING`, per container (iptabler/endpoint.go). A
 * version without a number (`dev`) is taken for a newer one: elsewhere the rule does no harm.
 */
export const needsRawRule = (engineVersion: string): boolean => !(Number.parseInt(engineVersion, 10) < 28);

/** Local images but ours in the order in which they are tried: well-known small ones, other named ones, then by size. */
export function candidates(images: readonly z.infer<typeof imageSchema>[]): string[] {
  const rank = (tags: readonly string[]): number =>
    tags.some((tag) => /(^|\/)busybox[:@]/.test(tag))
      ? 0
      : tags.some((tag) => /(^|\/)alpine[:@]/.test(tag))
        ? 1
        : tags.some((tag) => !tag.startsWith('<none>'))
          ? 2
          : 3;
  return images
    .filter(({ RepoTags }) => RepoTags?.includes(ownImage) !== true)
    .toSorted((a, b) => rank(a.RepoTags ?? []) - rank(b.RepoTags ?? []) || a.Size - b.Size)
    .map(({ Id }) => Id)
    .slice(0, mostTries);
}

/** The engine is asked for its list only when neither the configured image nor the one that worked last will do. */
async function* imagesToTry(engine: EngineClient, configured: string | undefined): AsyncGenerator<string> {
  if (configured !== undefined) yield configured;
  yield ownImage;
  yield* candidates(await engine.json('GET', '/images/json', untrustedList(imageSchema)));
}

/** Docker multiplexes stdout and stderr into frames of an 8-byte header and a payload. */
export function demultiplex(raw: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= raw.length;) {
    const size = raw.readUInt32BE(at + 4);
    parts.push(raw.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return Buffer.concat(parts).toString();
}

interface Outcome {
  readonly status: number;
  readonly words: string;
  /** Milliseconds from asking for the container to its report: what `docker run` takes. */
  readonly took: number;
  /** Resolves when the container is gone, or the engine is; never rejects. */
  readonly gone: Promise<void>;
}

async function sweep(engine: EngineClient): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const left = await engine.json(
    'GET',
    `/containers/json?all=true&filters=${filters}`,
    untrustedList(z.object({ Id: z.string() })),
  );
  for (const { Id } of left.slice(0, maxSwept)) await remove(engine, Id);
}

/** With the volumes that its image may have asked for; returns when it is gone, whoever removed it. */
async function remove(engine: EngineClient, id: string, signal?: AbortSignal): Promise<void> {
  const how = { timeout: patience, ...(signal ? { signal } : {}) };
  await engine
    .bytes('DELETE', `/containers/${encodeURIComponent(id)}?force=true&v=true`, how)
    .catch(async (error: unknown) => {
      // 409: its removal is under way, since an earlier request.
      if (error instanceof EngineError && error.status === 409)
        await engine
          .bytes('POST', `/containers/${encodeURIComponent(id)}/wait?condition=removed`, how)
          .catch(unlessGone);
      else unlessGone(error);
    });
}

/**
 * All that the helper's root may do: enter dockerd's mount namespace (the first three), set addresses and rules.
 * iptables-legacy, unlike the one on nft, speaks to the kernel through a raw socket.
 */
export const capabilities = ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_CHROOT', 'NET_ADMIN', 'NET_RAW'] as const;

const containerOf = (image: string, args: readonly string[]): unknown => ({
  Image: image,
  Entrypoint: ['sh', '-c', helperScript, 'tuntapd'],
  Cmd: args,
  User: '0:0',
  // The image's own may be closed to whoever has no capability to pass.
  WorkingDir: '/',
  Labels: { [label]: 'helper' },
  Healthcheck: { Test: ['NONE'] },
  HostConfig: {
    NetworkMode: 'host',
    PidMode: 'host',
    // An engine with `userns-remap` shares its namespaces with nobody else.
    UsernsMode: 'host',
    CapDrop: ['ALL'],
    CapAdd: capabilities,
    SecurityOpt: ['apparmor=unconfined', 'label=disable', 'no-new-privileges'],
    ReadonlyRootfs: true,
    Memory: 64 * 1024 * 1024,
    PidsLimit: 64,
    LogConfig: { Type: 'json-file', Config: {} },
  },
});

/** Returns the new container's id. What bears its name, a killed daemon's for instance, is swept first. */
async function createHelper(engine: EngineClient, image: string, args: readonly string[]): Promise<string> {
  const create = async (): Promise<string> =>
    (
      await engine.json('POST', `/containers/create?name=${containerName}`, z.object({ Id: z.string() }), {
        body: containerOf(image, args),
      })
    ).Id;
  try {
    return await create();
  } catch (error) {
    if (!(error instanceof EngineError && error.status === 409)) throw error;
    await sweep(engine);
    return create();
  }
}

/** Runs the script once in a container of `image`, which goes afterwards on its own time: nobody's way waits for that. */
async function runHelper(engine: EngineClient, image: string, args: readonly string[]): Promise<Outcome> {
  const began = performance.now();
  const id = encodeURIComponent(await createHelper(engine, image, args));
  // Also what is given up is removed.
  const tidy = (): Promise<void> => remove(engine, id, AbortSignal.timeout(tidying)).catch(() => undefined);
  try {
    await engine.bytes('POST', `/containers/${id}/start`, { timeout: patience });
    const [{ StatusCode }, said] = await Promise.all([
      engine.json('POST', `/containers/${id}/wait`, z.object({ StatusCode: z.number() }), {
        timeout: patience,
      }),
      engine.bytes('GET', `/containers/${id}/logs?stdout=true&stderr=true&follow=true`, {
        timeout: patience,
      }),
    ]);
    const took = performance.now() - began;
    return { status: StatusCode, words: demultiplex(said), took, gone: tidy() };
  } catch (error) {
    await tidy();
    throw error;
  }
}

/** What a hostile engine has the helper say may be 8 MiB of anything. */
const valuesOf = (words: string, key: string, max: number): string[] =>
  words
    .split('\n')
    .filter((line) => line.startsWith(`${key}=`))
    .slice(0, max)
    .map((line) => plain(line.slice(key.length + 1)));

/** Of another processor: the engine refuses it, or runc starts it and its sh fails, with 255 or (Engine 20.10) 1. */
const foreignProcessor = /exec format error/i;

/** An image that lacks sh or nsenter, or is another processor's, is no failure, only the wrong image. */
const isUnfit = ({ status, words }: Outcome): boolean =>
  status === 127 || status === 126 || /nsenter: .*not found/.test(words) || foreignProcessor.test(words);

const lacksShell = /executable file not found|no such file or directory/i;

/** An authorisation plugin, Enhanced Container Isolation (sysbox) or user namespaces: only a person can allow it. */
const isForbidden = ({ status, message }: EngineError): boolean =>
  status === 403 ||
  /authorization denied|enhanced container isolation|sysbox|user namespaces (are|is) enabled/i.test(message);

async function findAndRun(
  engine: EngineClient,
  args: readonly string[],
  images: AsyncIterable<string> | Iterable<string>,
): Promise<{ outcome: Outcome; image: string } | null> {
  for await (const image of images) {
    try {
      const outcome = await runHelper(engine, image, args);
      if (!isUnfit(outcome)) return { outcome, image };
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (isForbidden(error))
        throw new StepError(`Docker Engine forbids the helper container: ${error.message}`, {
          reason: 'HelperForbidden',
          blocked: true,
          cause: error,
        });
      const unfit =
        error.status === 404 || lacksShell.test(error.message) || foreignProcessor.test(error.message);
      if (!unfit) throw error;
    }
  }
  return null;
}

async function pullAlpine(engine: EngineClient, log: (message: string) => void): Promise<void> {
  const troubles: string[] = [];
  const said = new Set<string>();
  await engine.stream(
    '/images/create?fromImage=alpine&tag=latest',
    (line) => {
      const progress = z
        .object({ status: z.string().optional(), id: z.string().optional(), error: z.string().optional() })
        .safeParse(line).data;
      if (progress?.error !== undefined && troubles.length < mostTroubles)
        troubles.push(plain(progress.error));
      // Each step of each layer once, not every byte of it.
      const step = plain([progress?.id, progress?.status].filter((text) => text !== undefined).join(' '));
      if (step === '' || said.has(step) || said.size >= mostSteps) return;
      log(`pulling alpine: ${step}`);
      said.add(step);
    },
    { method: 'POST', timeout: patience, idle: patience, limit: pulling },
  );
  if (troubles.length > 0) throw new Error(troubles.join('; '));
}

async function run(
  engine: EngineClient,
  args: readonly string[],
  how: { image: string | undefined; pull: boolean; log: (message: string) => void },
): Promise<{ words: string; image: string; gone: Promise<void> }> {
  let done = await findAndRun(engine, args, imagesToTry(engine, how.image));
  if (!done && how.pull) {
    try {
      await pullAlpine(engine, how.log);
      done = await findAndRun(engine, args, ['alpine:latest']);
    } catch (error) {
      throw new StepError(
        `no local image has sh and nsenter, and alpine cannot be pulled (${messageOf(error)}): run \`docker pull alpine\``,
        { reason: 'NoHelperImage', blocked: true, cause: error },
      );
    }
  }
  if (!done)
    throw new StepError('no local image has sh and nsenter: run `docker pull alpine`', {
      reason: 'NoHelperImage',
      blocked: true,
    });
  const { outcome, image } = done;
  how.log(`the helper container reported after ${Math.round(outcome.took)} ms`);
  if (outcome.status !== 0) {
    await outcome.gone;
    const [reason = 'GuestRefused'] = valuesOf(outcome.words, 'reason', 1);
    const said = valuesOf(outcome.words, 'error', maxErrors).join('; ') || plain(outcome.words);
    throw new StepError(`the helper container ended with ${outcome.status}: ${said}`, {
      reason,
      // The VM's own networks stay what they are until a person moves the link.
      blocked: reason === 'LinkCollision',
    });
  }
  return { words: outcome.words, image, gone: outcome.gone };
}

let last: Promise<unknown> = Promise.resolve();

/**
 * After the one before, however that ended: a configuration that is taken while a helper runs begins a new run of the
 * daemon in the same process. What a killed daemon left running is removed before the next one starts.
 */
function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work, work);
  last = next.catch(() => undefined);
  return next;
}

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
      { reason: 'FirewallBackendUnsupported', blocked: true },
    );
}

/** Sets the VM's end of the link up: address, MTU, accept rules where this engine needs them. Idempotent. */
export async function prepareGuest(engine: EngineClient, how: PrepareParameters): Promise<GuestReport> {
  const { session, mac, address, prefix, mtu, far, engineVersion, repairs } = how;
  const args = [
    'prepare',
    mac,
    address,
    String(prefix),
    String(mtu),
    needsRawRule(engineVersion) ? 'raw' : 'plain',
    far,
  ];
  const limits = { milliseconds: how.timeout ?? deadline + (how.pull ? pulling : 0), signal: how.signal };
  const { words, image, gone } = await oneAtATime(() =>
    withDeadline(engine, limits, async (bounded) => {
      await refuseNftables(bounded, engineVersion);
      return run(bounded, args, how);
    }),
  );
  const [name = '', more] = valuesOf(words, 'interface', 2);
  if (!/^[\w.-]{1,15}$/.test(name) || more !== undefined)
    throw new StepError(`the helper container said ${plain(words)}`, { reason: 'GuestRefused' });
  // The way is open; the rest of the work need not be waited for.
  oneAtATime(async () => {
    await gone;
    if (image !== ownImage)
      await engine.bytes('POST', `/images/${encodeURIComponent(image)}/tag?repo=tuntapd/helper&tag=local`, {
        signal: AbortSignal.timeout(tidying),
      });
  }).catch((error: unknown) => {
    how.log(`the helper’s image could not be kept as ${ownImage}: ${messageOf(error)}`);
  });
  return { session, interface: name, rules: valuesOf(words, 'rule', maxRules), repairs };
}

/**
 * Takes our rules, our address and our image tag out of the VM again. `attached`: whether the VM has our NIC; without
 * it nothing was ever done there, and nothing needs an image to undo it.
 */
export async function releaseGuest(
  engine: EngineClient,
  {
    attached,
    mac,
    address,
    prefix,
    signal,
    timeout = deadline,
  }: GuestParameters & { attached: boolean; signal?: AbortSignal; timeout?: number },
): Promise<void> {
  const release = async (bounded: EngineClient): Promise<void> => {
    const how = { image: undefined, pull: false, log: () => undefined };
    const { gone } = await run(bounded, ['release', mac, address, String(prefix)], how);
    await gone;
  };
  await oneAtATime(() =>
    withDeadline(engine, { milliseconds: timeout, signal }, async (bounded) => {
      if (attached)
        await release(bounded).catch((error: unknown) => {
          // The image that set the VM up has our tag. When none is left that could, none did.
          if (!(error instanceof StepError && error.reason === 'NoHelperImage')) throw error;
        });
      await bounded.bytes('DELETE', `/images/${encodeURIComponent(ownImage)}?noprune=true`).catch(unlessGone);
    }),
  );
}
