/** A Docker Engine on a unix socket, as strict as the real one about what it is asked, whose state can be looked at. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Streams } from './fake-vm.js';
import { untar } from './untar.js';

export interface Image {
  readonly id: string;
  tags: string[];
  /** The file that its entry point is. */
  readonly program: Buffer;
  readonly architecture: string;
}

export interface Container {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly image: Image;
  readonly host: Record<string, unknown>;
}

export interface FakeEngine {
  readonly socket: string;
  readonly dial: () => Promise<Socket>;
  readonly images: Image[];
  /** By id: containers that exist. */
  readonly containers: Map<string, Container>;
  /** What was started, in that order. */
  readonly started: Image[];
  /** Containers' streams that are open. */
  readonly streams: Set<Duplex>;
  /** As many as ran at the same time at the most. */
  readonly maxAtOnce: () => number;
  /** Says these lines to each listener who has not filtered them out. */
  readonly emit: (events: string) => void;
  /** What there is in the way of networks. */
  networks: object[];
  /** Ends every event stream, as a dockerd that goes does. */
  readonly hangUp: () => void;
  readonly asked: string[];
  readonly close: () => Promise<void>;
}

export interface FakeOptions {
  readonly version?: Record<string, unknown>;
  readonly info?: Record<string, unknown>;
  readonly images?: Image[];
  /** The store decides by which digest an image is known: its configuration's (docker), or its manifest's. */
  readonly store?: 'docker' | 'containerd';
  /** What runs in each container that is started; nothing, and silently, unless told. */
  readonly runs?: (streams: Streams) => void;
  /** Ways not to keep to the truth. */
  readonly lies?: {
    /** Keeps whatever is loaded under this id. */
    readonly loadsAs?: string;
    /** Makes every container of this image. */
    readonly creates?: Image;
    /** Says that every container is of this image. */
    readonly inspectsAs?: string;
  };
  /** Leaves the streams open when a container ends, and the container where it is. */
  readonly keeps?: boolean;
  /** As a proxy that does not know how to turn a connection into streams. */
  readonly breaksAttach?: boolean;
  /** Requests that are refused, and those that are never answered. */
  readonly refuses?: Readonly<
    Record<string, { readonly status: number; readonly message: string } | undefined>
  >;
  readonly hangsAt?: (what: string) => boolean;
  /** Milliseconds until the stream of events begins. */
  readonly opening?: number;
  /** Milliseconds that the next list of networks takes. */
  readonly slowness?: () => number;
  /** How often the removal of a container is refused because it is already under way. */
  readonly removalsUnderWay?: number;
  /** What a request is answered with instead, raw. */
  readonly says?: Readonly<Record<string, string | undefined>>;
}

/** An image that is not ours. */
export const image = (id: string, tags: string[] = []): Image => ({
  id,
  tags,
  program: Buffer.from(`the program of ${id}`),
  architecture: 'amd64',
});

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** What an archive holds, by following its own references, each of which has to be what it is named after. */
function imageIn(archive: Buffer, store: 'docker' | 'containerd'): Image {
  const files = untar(archive);
  const fileAt = (name: string): Buffer => {
    const found = files.get(name);
    if (!found) throw new Error(`open ${name}: no such file or directory`);
    return found;
  };
  const blob = (digest: string): Buffer => {
    const bytes = fileAt(`blobs/${digest.replace(':', '/')}`);
    if (digestOf(bytes) !== digest) throw new Error(`unexpected digest of ${digest}`);
    return bytes;
  };
  const read = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  const [entry] = read(fileAt('manifest.json')) as {
    Config: string;
    RepoTags: string[] | null;
    Layers: string[];
  }[];
  const index = read(fileAt('index.json')) as { manifests: { digest: string }[] };
  const manifest = blob(index.manifests[0]?.digest ?? '');
  const { config, layers } = read(manifest) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  const configuration = fileAt(entry?.Config ?? '');
  if (digestOf(configuration) !== config.digest) throw new Error('two configurations');
  const parsed = read(configuration) as {
    architecture: string;
    rootfs: { diff_ids: string[] };
    config: { Entrypoint: string[] };
  };
  const layer = blob(layers[0]?.digest ?? '');
  if (!fileAt(entry?.Layers[0] ?? '').equals(layer) || parsed.rootfs.diff_ids[0] !== digestOf(layer))
    throw new Error('two layers');
  const program = untar(layer).get(parsed.config.Entrypoint.join(' ').slice(1));
  if (!program) throw new Error('no entry point');
  return {
    id: digestOf(store === 'docker' ? configuration : manifest),
    tags: [...(entry?.RepoTags ?? [])],
    program,
    architecture: parsed.architecture,
  };
}

/** A part of a container's output, with the engine's header before it. */
function part(stream: 1 | 2, bytes: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

interface EventFilters {
  readonly type?: readonly string[];
  readonly event?: readonly string[];
}

/** As moby's `Filter.Include`: of each key one value has to match. What is no event comes from elsewhere. */
function isWanted(line: string, { type, event }: EventFilters): boolean {
  if (!/^{.*"Action"/.test(line)) return true;
  const { Type, Action } = JSON.parse(line) as { Type: string; Action: string };
  return (type?.includes(Type) ?? true) && (event?.includes(Action) ?? true);
}

export async function fakeEngine(options: FakeOptions = {}): Promise<FakeEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const socket = join(folder, 'docker.sock');
  const images = [...(options.images ?? [])];
  const containers: FakeEngine['containers'] = new Map();
  const started: Image[] = [];
  const streams = new Set<Duplex>();
  const attached = new Map<string, Duplex>();
  const listeners = new Map<ServerResponse, EventFilters>();
  const asked: string[] = [];
  let made = 0;
  let most = 0;
  let underWay = options.removalsUnderWay ?? 0;
  const version = {
    Version: '28.5.2',
    ApiVersion: '1.51',
    MinAPIVersion: '1.24',
    Arch: 'amd64',
    ...options.version,
  };

  const read = (incoming: IncomingMessage): { url: URL; path: string; what: string } => {
    const url = new URL(incoming.url ?? '/', 'http://docker');
    const path = decodeURIComponent(url.pathname).replace(/^\/v[\d.]+/, '');
    asked.push(`${incoming.method ?? ''} ${decodeURIComponent(incoming.url ?? '')}`);
    return { url, path, what: `${incoming.method ?? ''} ${path}` };
  };

  const end = (id: string): void => {
    if (options.keeps === true) return;
    if (containers.get(id)?.host['AutoRemove'] === true) containers.delete(id);
    attached.get(id)?.end();
  };

  const start = (id: string, image: Image): void => {
    started.push(image);
    const stream = attached.get(id);
    const say = (bytes: Buffer): void => {
      if (stream?.writable === true) stream.write(bytes);
    };
    options.runs?.({
      onStdin: (listener) => stream?.on('data', listener),
      stdout: (bytes) => {
        say(part(1, bytes));
      },
      stderr: (bytes) => {
        say(part(2, bytes));
      },
      raw: say,
      exit: () => {
        end(id);
      },
    });
    stream?.resume();
    // StdinOnce: whoever goes takes the agent's stdin along.
    stream?.once('close', () => {
      end(id);
    });
  };

  const imageOf = (name: string): Image | undefined =>
    images.find(({ id, tags }) => id === name || tags.includes(name));

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const content = Buffer.concat(chunks);
      const { url, path, what } = read(incoming);
      if (options.hangsAt?.(what) === true) return;
      const answer = (status: number, body?: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? '' : JSON.stringify(body));
      };
      const container = /^\/containers\/([^/]+)/.exec(path)?.[1] ?? '';
      if (what === 'GET /version') {
        answer(200, version);
        return;
      }
      if (what === 'GET /info') {
        answer(200, options.info ?? {});
        return;
      }
      const refusal = options.refuses?.[what];
      if (refusal) {
        answer(refusal.status, { message: refusal.message });
        return;
      }
      const raw = options.says?.[what];
      if (raw !== undefined) {
        response.writeHead(200);
        response.end(raw);
        return;
      }
      if (what === 'GET /networks') {
        // What is listed is what is there when the question comes in, however late the answer is.
        const networks = [...engine.networks];
        setTimeout(() => {
          answer(200, networks);
        }, options.slowness?.() ?? 0);
        return;
      }
      const one = /^GET \/networks\/(.+)$/.exec(what)?.[1];
      if (one !== undefined) {
        const found = engine.networks.find((network) => (network as { Id: string }).Id.startsWith(one));
        setTimeout(() => {
          answer(found ? 200 : 404, found ?? { message: `network ${one} not found` });
        }, options.slowness?.() ?? 0);
        return;
      }
      if (what === 'GET /events') {
        setTimeout(() => {
          response.writeHead(200);
          response.flushHeaders();
          listeners.set(response, JSON.parse(url.searchParams.get('filters') ?? '{}') as EventFilters);
          response.on('close', () => listeners.delete(response));
        }, options.opening ?? 0);
        return;
      }
      if (what === 'POST /images/load') {
        if (incoming.headers['content-type'] !== 'application/x-tar') throw new Error('no archive');
        const loaded = imageIn(content, options.store ?? 'docker');
        const kept = { ...loaded, id: options.lies?.loadsAs ?? loaded.id };
        if (!images.some(({ id }) => id === kept.id)) images.push(kept);
        answer(200, { stream: `Loaded image ID: ${kept.id}\n` });
        return;
      }
      const unwanted = /^DELETE \/images\/(.+)$/.exec(what)?.[1];
      if (unwanted !== undefined) {
        const found = imageOf(unwanted);
        if (!found) {
          answer(404, { message: `No such image: ${unwanted}` });
          return;
        }
        const user = [...containers].find(([, { image }]) => image === found)?.[0];
        if (user !== undefined || found.tags.length > 1) {
          const why =
            user === undefined
              ? 'image is referenced in multiple repositories'
              : `image is being used by running container ${user}`;
          answer(409, { message: `conflict: unable to delete ${unwanted} (cannot be forced) - ${why}` });
          return;
        }
        images.splice(images.indexOf(found), 1);
        answer(200, [{ Deleted: found.id }]);
        return;
      }
      if (what === 'GET /containers/json') {
        const { label = [] } = JSON.parse(url.searchParams.get('filters') ?? '{}') as { label?: string[] };
        const found = [...containers].filter(([, { labels }]) => label.every((name) => name in labels));
        answer(
          200,
          found.map(([Id]) => ({ Id })),
        );
        return;
      }
      if (what === 'POST /containers/create') {
        const body = JSON.parse(content.toString()) as {
          Image: string;
          Labels: Record<string, string>;
          HostConfig: Record<string, unknown>;
        };
        const found = options.lies?.creates ?? imageOf(body.Image);
        if (!found) {
          answer(404, { message: `No such image: ${body.Image}` });
          return;
        }
        const name = url.searchParams.get('name') ?? '';
        const [holder] = [...containers].find(([, other]) => other.name === name) ?? [];
        if (holder !== undefined) {
          answer(409, {
            message: `Conflict. The container name "/${name}" is already in use by container "${holder}".`,
          });
          return;
        }
        made += 1;
        containers.set(`c${made}`, { name, labels: body.Labels, image: found, host: body.HostConfig });
        most = Math.max(most, containers.size);
        answer(201, { Id: `c${made}` });
        return;
      }
      const known = containers.get(container);
      if (!known) {
        answer(404, { message: `No such container: ${what}` });
        return;
      }
      if (incoming.method === 'DELETE' && underWay > 0) {
        underWay -= 1;
        answer(409, { message: `removal of container ${container} is already in progress` });
        return;
      }
      if (incoming.method === 'DELETE') {
        containers.delete(container);
        if (options.keeps !== true) attached.get(container)?.end();
        answer(204);
        return;
      }
      if (path.endsWith('/start')) {
        if (known.image.architecture !== version.Arch) {
          answer(400, { message: 'exec /agent: exec format error' });
          return;
        }
        answer(204);
        start(container, known.image);
        return;
      }
      if (path.endsWith('/json')) {
        answer(200, { Id: container, Image: options.lies?.inspectsAs ?? known.image.id });
        return;
      }
      if (path.endsWith('/attach')) {
        // Without the headers a proxy passes on what the container says, and nothing to it.
        response.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' });
        response.flushHeaders();
        return;
      }
      if (path.endsWith('/wait') && url.searchParams.get('condition') === 'removed') {
        setTimeout(() => {
          containers.delete(container);
          answer(200, { StatusCode: 137 });
        }, 50);
        return;
      }
      answer(404, { message: `page not found: ${what}` });
    });
  });
  server.on('upgrade', (incoming: IncomingMessage, connection: Duplex) => {
    const { path, what } = read(incoming);
    connection.on('error', () => undefined);
    connection.on('end', () => connection.end());
    if (options.hangsAt?.(what) === true) {
      connection.resume();
      return;
    }
    const id = /^\/containers\/([^/]+)\/attach$/.exec(path)?.[1] ?? '';
    if (options.breaksAttach === true || !containers.has(id)) {
      connection.end(
        `HTTP/1.1 ${containers.has(id) ? '200 OK' : '404 Not Found'}\r\ncontent-length: 2\r\n\r\n{}`,
      );
      return;
    }
    attached.set(id, connection);
    streams.add(connection);
    connection.once('close', () => streams.delete(connection));
    connection.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const engine: FakeEngine = {
    socket,
    dial: () =>
      new Promise((resolve, reject) => {
        const connection = createConnection(socket);
        connection.once('error', reject);
        connection.once('connect', () => {
          resolve(connection);
        });
      }),
    networks: [],
    hangUp: () => {
      for (const listener of listeners.keys()) listener.end();
    },
    images,
    containers,
    started,
    streams,
    asked,
    maxAtOnce: () => most,
    emit: (events) => {
      for (const [listener, filters] of listeners)
        listener.write(events.replaceAll(/^.*\n/gm, (line) => (isWanted(line, filters) ? line : '')));
    },
    close: async () => {
      server.closeAllConnections();
      for (const stream of streams) stream.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return engine;
}
