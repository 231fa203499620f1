import { z } from 'zod';
import type { GuestReport } from '../observation.js';
import { StepError } from '../steps.js';
import { messageOf, plain } from '../text.js';
import { type EngineClient, EngineError } from './engine-client.js';
import { helperScript } from './helper-script.js';

const label = 'io.github.tuntapd';
/** Our own name for the image that worked, so that it is there next time, also offline. */
const ownImage = 'tuntapd/helper:local';
const mostTries = 5;

export interface GuestParameters {
  readonly session: string;
  readonly mac: string;
  readonly address: string;
  readonly prefix: number;
}

export interface PrepareParameters extends GuestParameters {
  readonly mtu: number;
  readonly engineVersion: string;
  readonly image: string | undefined;
  readonly pull: boolean;
  readonly log: (message: string) => void;
}

const imagesSchema = z.array(
  z.object({ Id: z.string(), RepoTags: z.array(z.string()).nullish(), Size: z.number().default(0) }),
);

/** Engine 28 drops what comes from outside the bridge in `raw PREROUTING`, per container (iptabler/endpoint.go). */
export const needsRawRule = (engineVersion: string): boolean => Number.parseInt(engineVersion, 10) >= 28;

/** Local images in the order in which they are tried: ours, well-known small ones, then by size. */
export function candidates(images: z.infer<typeof imagesSchema>, configured: string | undefined): string[] {
  const rank = (tags: readonly string[]): number =>
    tags.includes(ownImage)
      ? 0
      : tags.some((tag) => /(^|\/)busybox[:@]/.test(tag))
        ? 1
        : tags.some((tag) => /(^|\/)alpine[:@]/.test(tag))
          ? 2
          : 3;
  const local = images
    .filter(({ RepoTags }) => (RepoTags ?? []).length > 0)
    .sort((a, b) => rank(a.RepoTags ?? []) - rank(b.RepoTags ?? []) || a.Size - b.Size)
    .map(({ Id }) => Id);
  return [...(configured === undefined ? [] : [configured]), ...local].slice(0, mostTries);
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
}

async function sweep(engine: EngineClient): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const left = await engine.json(
    'GET',
    `/containers/json?all=true&filters=${filters}`,
    z.array(z.object({ Id: z.string() })),
  );
  for (const { Id } of left) await engine.bytes('DELETE', `/containers/${Id}?force=true`);
}

/** Runs the script once in a container of `image`; the container is gone afterwards, whatever happened. */
async function runHelper(engine: EngineClient, image: string, args: readonly string[]): Promise<Outcome> {
  await sweep(engine);
  const { Id } = await engine.json('POST', '/containers/create', z.object({ Id: z.string() }), {
    body: {
      Image: image,
      Entrypoint: ['sh', '-c', helperScript, 'tuntapd'],
      Cmd: args,
      User: '0:0',
      Labels: { [label]: 'helper' },
      HostConfig: {
        NetworkMode: 'host',
        PidMode: 'host',
        CapDrop: ['ALL'],
        CapAdd: ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_CHROOT', 'NET_ADMIN'],
        SecurityOpt: ['apparmor=unconfined', 'label=disable'],
        ReadonlyRootfs: true,
        LogConfig: { Type: 'json-file', Config: {} },
      },
    },
  });
  try {
    await engine.bytes('POST', `/containers/${Id}/start`);
    const { StatusCode } = await engine.json(
      'POST',
      `/containers/${Id}/wait`,
      z.object({ StatusCode: z.number() }),
      { timeout: 60_000 },
    );
    const words = demultiplex(await engine.bytes('GET', `/containers/${Id}/logs?stdout=true&stderr=true`));
    return { status: StatusCode, words };
  } finally {
    await engine.bytes('DELETE', `/containers/${Id}?force=true`).catch(() => undefined);
  }
}

const valuesOf = (words: string, key: string): string[] =>
  words
    .split('\n')
    .flatMap((line) => (line.startsWith(`${key}=`) ? [plain(line.slice(key.length + 1))] : []));

/** An image that lacks sh or nsenter is no failure, only the wrong image. */
const isUnfit = ({ status, words }: Outcome): boolean =>
  status === 127 || status === 126 || /nsenter: (not found|applet not found)/.test(words);

async function findAndRun(
  engine: EngineClient,
  args: readonly string[],
  images: readonly string[],
): Promise<{ outcome: Outcome; image: string } | null> {
  for (const image of images) {
    try {
      const outcome = await runHelper(engine, image, args);
      if (!isUnfit(outcome)) return { outcome, image };
    } catch (error) {
      const unfit =
        error instanceof EngineError &&
        (error.status === 404 || /executable file not found|no such file or directory/i.test(error.message));
      if (unfit) continue;
      if (error instanceof EngineError && error.status === 403)
        throw new StepError(`Docker Engine forbids the helper container: ${error.message}`, {
          reason: 'HelperForbidden',
          blocked: true,
          cause: error,
        });
      throw error;
    }
  }
  return null;
}

async function pullAlpine(engine: EngineClient, log: (message: string) => void): Promise<void> {
  const troubles: string[] = [];
  await engine.stream(
    '/images/create?fromImage=alpine&tag=latest',
    (line) => {
      const progress = z
        .object({ status: z.string().optional(), error: z.string().optional() })
        .safeParse(line);
      if (progress.data?.error !== undefined) troubles.push(plain(progress.data.error));
      if (progress.data?.status !== undefined) log(`pulling alpine: ${plain(progress.data.status)}`);
    },
    { method: 'POST', timeout: 60_000 },
  );
  if (troubles.length > 0) throw new Error(troubles.join('; '));
}

async function run(
  engine: EngineClient,
  args: readonly string[],
  how: { image: string | undefined; pull: boolean; log: (message: string) => void },
): Promise<{ words: string; image: string }> {
  const images = await engine.json('GET', '/images/json', imagesSchema);
  let done = await findAndRun(engine, args, candidates(images, how.image));
  if (!done && how.pull) {
    try {
      await pullAlpine(engine, how.log);
      done = await findAndRun(engine, args, ['alpine:latest']);
    } catch (error) {
      throw new StepError(
        `no local image has sh and nsenter, and alpine cannot be pulled (${messageOf(error)}): run \`docker pull alpine\``,
        { reason: 'NoHelperImage', cause: error },
      );
    }
  }
  if (!done)
    throw new StepError('no local image has sh and nsenter: run `docker pull alpine`', {
      reason: 'NoHelperImage',
      blocked: true,
    });
  const { outcome, image } = done;
  if (outcome.status !== 0) {
    const [reason = 'GuestRefused'] = valuesOf(outcome.words, 'reason');
    const said = valuesOf(outcome.words, 'error').join('; ') || plain(outcome.words);
    throw new StepError(`the helper container ended with ${outcome.status}: ${said}`, { reason });
  }
  return { words: outcome.words, image };
}

/** Sets the VM's end of the link up: address, MTU, accept rules where this engine needs them. Idempotent. */
export async function prepareGuest(engine: EngineClient, how: PrepareParameters): Promise<GuestReport> {
  const { session, mac, address, prefix, mtu, engineVersion } = how;
  const args = [
    'prepare',
    mac,
    address,
    String(prefix),
    String(mtu),
    needsRawRule(engineVersion) ? 'raw' : 'plain',
  ];
  const { words, image } = await run(engine, args, how);
  const [name = '', more] = valuesOf(words, 'interface');
  if (!/^[\w.-]{1,15}$/.test(name) || more !== undefined)
    throw new StepError(`the helper container said ${plain(words)}`, { reason: 'GuestRefused' });
  await engine.bytes('POST', `/images/${encodeURIComponent(image)}/tag?repo=tuntapd/helper&tag=local`);
  return { session, interface: name, rules: valuesOf(words, 'rule'), image };
}

/** Takes our rules, our address and our image tag out of the VM again. */
export async function releaseGuest(engine: EngineClient, how: GuestParameters): Promise<void> {
  const { mac, address, prefix } = how;
  await run(engine, ['release', mac, address, String(prefix), '0', 'plain'], {
    image: undefined,
    pull: false,
    log: () => undefined,
  });
  await engine
    .bytes('DELETE', `/images/${encodeURIComponent(ownImage)}?noprune=true`)
    .catch((error: unknown) => {
      if (!(error instanceof EngineError && error.status === 404)) throw error;
    });
}
