import { Duplex, Transform } from 'node:stream';
import * as z from 'zod';
import { StepError } from '../core/steps.js';
import { messageOf, plain } from '../lib/text.js';
import amd64 from './agent/amd64.agent';
import arm64 from './agent/arm64.agent';
import { type Conversation, converse } from './agent/conversation.js';
import { demultiplexer } from './agent/frames.js';
import { type AgentImage, agentImage, type Architecture } from './agent/image.js';
import { type EngineClient, EngineError, unlessGone } from './engine-client.js';
import { untrustedList } from './json.js';

/** Of every container that is ours. */
export const label = 'io.github.tuntapd';
/** Always the same, so the engine itself refuses a second one. */
const containerName = 'tuntapd-helper';
/** Containers of ours that are removed at a time: more than one is never there, but an engine may say so. */
const maxSwept = 4;
/** Milliseconds for each request: a VM that starts everything at once is slow. */
const timeout = 60_000;
/** Milliseconds for the removal of what is left behind. */
const tidying = 15_000;
/** Bytes of stderr that are told: the agent says nothing there, but what starts it may. */
const maxWords = 2000;

/** All that the agent's root may do, and no more: docs/decisions/0010 has what each is for. */
export const capabilities = ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_CHROOT', 'NET_ADMIN', 'NET_RAW'] as const;

const programs: Readonly<Record<Architecture, Uint8Array>> = { amd64, arm64 };
/** Whether there is an agent for a processor. */
export const isFit = (architecture: string): architecture is Architecture =>
  architecture === 'amd64' || architecture === 'arm64';

const images = new Map<Architecture, AgentImage>();

/** The image for an engine's own processor, which is not the Mac's where its VM is emulated. Throws StepError. */
function imageFor(architecture: string): AgentImage {
  if (!isFit(architecture))
    throw new StepError(
      `the VM’s processor is ${plain(architecture, 40)}; tuntapd’s agent knows amd64 and arm64`,
      {
        condition: 'Guest',
        reason: 'AgentUnfit',
        blocked: true,
      },
    );
  const image = images.get(architecture) ?? agentImage(Buffer.from(programs[architecture]), architecture);
  images.set(architecture, image);
  return image;
}

const containerOf = (image: string): unknown => ({
  Image: image,
  User: '0:0',
  Labels: { [label]: 'helper' },
  Healthcheck: { Test: ['NONE'] },
  OpenStdin: true,
  StdinOnce: true,
  AttachStdin: true,
  AttachStdout: true,
  AttachStderr: true,
  HostConfig: {
    AutoRemove: true,
    NetworkMode: 'host',
    PidMode: 'host',
    UsernsMode: 'host',
    CapDrop: ['ALL'],
    CapAdd: capabilities,
    SecurityOpt: ['apparmor=unconfined', 'label=disable', 'no-new-privileges'],
    ReadonlyRootfs: true,
    Memory: 64 * 1024 * 1024,
    PidsLimit: 64,
    LogConfig: { Type: 'none', Config: {} },
  },
});

/** An authorisation plugin, Enhanced Container Isolation (sysbox) or user namespaces: only a person can allow it. */
const isForbidden = ({ status, message }: EngineError): boolean =>
  status === 403 ||
  /authorization denied|enhanced container isolation|sysbox|user namespaces (are|is) enabled/i.test(message);

const forbidden = (error: unknown): unknown =>
  error instanceof EngineError && isForbidden(error)
    ? new StepError(`Docker Engine forbids the helper container: ${error.message}`, {
        condition: 'Guest',
        reason: 'HelperForbidden',
        blocked: true,
        cause: error,
      })
    : error;

/** Returns when it is gone, whoever removed it. */
async function remove(engine: EngineClient, id: string, signal?: AbortSignal): Promise<void> {
  const how = { timeout, ...(signal ? { signal } : {}) };
  const path = `/containers/${encodeURIComponent(id)}`;
  await engine.bytes('DELETE', `${path}?force=true&v=true`, how).catch(async (error: unknown) => {
    // 409: its removal is under way, since an earlier request or by itself.
    if (error instanceof EngineError && error.status === 409)
      await engine.bytes('POST', `${path}/wait?condition=removed`, how).catch(unlessGone);
    else unlessGone(error);
  });
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

/** Asks for the container by each id that the image may have; null where the engine has no such image. */
async function tryToCreate(engine: EngineClient, ids: readonly string[]): Promise<string | null> {
  for (const id of ids) {
    const create = (): Promise<{ Id: string }> =>
      engine.json('POST', `/containers/create?name=${containerName}`, z.object({ Id: z.string() }), {
        body: containerOf(id),
      });
    try {
      return (
        await create().catch(async (error: unknown) => {
          // The name is taken: by one of ours that a killed daemon left, or by another container.
          if (!(error instanceof EngineError && error.status === 409)) throw error;
          await sweep(engine);
          return create();
        })
      ).Id;
    } catch (error) {
      if (!(error instanceof EngineError && error.status === 404)) throw error;
    }
  }
  return null;
}

const refused = (words: string): StepError =>
  new StepError(words, { condition: 'Guest', reason: 'AgentRefused', blocked: true });

/** Returns the id of a new container of our image, which is loaded where the engine does not have it. */
async function createContainer(engine: EngineClient, { ids, archive }: AgentImage): Promise<string> {
  let id = await tryToCreate(engine, ids);
  if (id === null) {
    const said = await engine.bytes('POST', '/images/load?quiet=true', {
      raw: { type: 'application/x-tar', bytes: archive },
      timeout,
    });
    id = await tryToCreate(engine, ids);
    if (id === null)
      throw refused(
        `Docker Engine loaded tuntapd’s agent, but knows it under none of its ids (it said: ${plain(said.toString(), 200)})`,
      );
  }
  return id;
}

/** Rejects with StepError `AgentRefused` unless the container is of our image, whatever was asked for. */
async function mustBeOurs(engine: EngineClient, id: string, { ids }: AgentImage): Promise<void> {
  const path = `/containers/${encodeURIComponent(id)}/json`;
  const { Image } = await engine.json('GET', path, z.object({ Image: z.string() }));
  if (!ids.includes(Image))
    throw refused(`Docker Engine made the helper container of another image (${plain(Image, 80)})`);
}

/** The agent's own stream within what the engine hands over; what is said on stderr goes to `onStderr`. */
function unwrapped(connection: Duplex, onStderr: (bytes: Buffer) => void): Duplex {
  const take = demultiplexer(onStderr);
  const stdout = new Transform({
    transform: (bytes: Buffer, _encoding, done) => {
      try {
        done(null, take(bytes));
      } catch (error) {
        done(error as Error);
      }
    },
  });
  connection.on('error', (error) => stdout.destroy(error));
  connection.on('close', () => stdout.end());
  connection.pipe(stdout);
  const both = Duplex.from({ readable: stdout, writable: connection });
  both.once('close', () => connection.destroy());
  return both;
}

/** What `work` makes of the agent, which has been sent away by then. Rejects with StepError alone. */
async function talk<T>(agent: Conversation, work: (agent: Conversation) => Promise<T>): Promise<T> {
  try {
    const result = await work(agent);
    await agent.quit();
    return result;
  } catch (error) {
    if (error instanceof StepError) throw error;
    const words = `the conversation with tuntapd’s agent in the VM failed: ${messageOf(error)}`;
    throw new StepError(words, { condition: 'Guest', reason: 'AgentFailed', cause: error });
  }
}

/**
 * Runs the agent in a container of its own and has `work` talk to it. `gone` resolves when the container is, or cannot be
 * removed; it never rejects. Rejects with what `work` rejects with, or with StepError: `HelperForbidden`,
 * `AgentRefused`, `AgentUnfit`, `AgentFailed` where what answers is no agent, or ends before its time.
 */
export async function withAgent<T>(
  engine: EngineClient,
  { signal, log }: { readonly signal: AbortSignal; readonly log: (message: string) => void },
  work: (agent: Conversation) => Promise<T>,
): Promise<{ readonly result: T; readonly gone: Promise<void> }> {
  const began = performance.now();
  let words = '';
  const image = imageFor(engine.architecture);
  const id = await createContainer(engine, image).catch((error: unknown) => {
    throw forbidden(error);
  });
  // It removes itself; where it could not even start, or hangs, nobody else does. Also what is given up is removed.
  const tidy = (): Promise<void> => remove(engine, id, AbortSignal.timeout(tidying)).catch(() => undefined);
  let connection: Duplex | null = null;
  try {
    await mustBeOurs(engine, id, image);
    const path = `/containers/${encodeURIComponent(id)}`;
    connection = await engine.attach(`${path}/attach?stream=true&stdin=true&stdout=true&stderr=true`, {
      timeout,
    });
    const agent = converse(
      unwrapped(connection, (bytes) => {
        words = (words + bytes.toString()).slice(0, maxWords);
      }),
      { signal },
    );
    await engine.bytes('POST', `${path}/start`, { timeout });
    const result = await talk(agent, work);
    log(`the helper container reported after ${Math.round(performance.now() - began)} ms`);
    return { result, gone: tidy() };
  } catch (error) {
    if (words !== '') log(`the helper container said: ${plain(words)}`);
    await tidy();
    throw forbidden(error);
  } finally {
    // An engine may leave it open.
    connection?.destroy();
  }
}

/**
 * Removes the agent's image. What is gone already is no fault; nothing else of any name is touched. An image that
 * somebody gave names, or made containers of, stays.
 */
export async function removeImage(engine: EngineClient): Promise<void> {
  for (const id of imageFor(engine.architecture).ids) {
    const removeIt = async (): Promise<'removed' | 'in use'> => {
      try {
        await engine.bytes('DELETE', `/images/${id}?noprune=true`, { timeout }).catch(unlessGone);
        return 'removed';
      } catch (error) {
        if (error instanceof EngineError && error.status === 409) return 'in use';
        throw error;
      }
    };
    if ((await removeIt()) === 'removed') continue;
    // By a container of ours, perhaps, that a killed daemon left.
    await sweep(engine);
    await removeIt();
  }
}
