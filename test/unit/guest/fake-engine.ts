/** A Docker Engine on a unix socket, as strict as the real one about what it is asked, whose state can be looked at. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Image {
  readonly id: string;
  tags: string[];
  readonly size: number;
  /** What a container of it prints and ends with, by its first argument (prepare or release). */
  readonly runs: (action: string) => { status: number; says: string } | { refused: string };
}

export interface FakeEngine {
  readonly socket: string;
  readonly dial: () => Promise<Socket>;
  readonly images: Image[];
  /** By id: containers that exist. */
  readonly containers: Map<
    string,
    { name: string; labels: Record<string, string>; image: Image; args: string[] }
  >;
  /** As many as ran at the same time at the most. */
  readonly mostAtOnce: () => number;
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
  /** Milliseconds until the stream of events begins. */
  readonly opening?: number;
  /** Milliseconds that the next list of networks takes. */
  readonly slowness?: () => number;
  /** How often the removal of a container is refused because it is already under way. */
  readonly removalsUnderWay?: number;
  /** What a request is answered with instead, raw. */
  readonly says?: Readonly<Record<string, string | undefined>>;
  /** Refuses the creation of containers with these words. */
  readonly forbids?: { readonly status: number; readonly message: string };
  /** What a pull of alpine answers, line by line; the image it brings; whether it never ends. */
  readonly pull?: { readonly lines: readonly object[]; readonly brings?: Image; readonly stalls?: boolean };
}

export const image = (id: string, tags: string[], runs: Image['runs'], size = 5): Image => ({
  id,
  tags,
  size,
  runs,
});

/** One that has all that is needed. */
export const fit: Image['runs'] = (action) => ({
  status: 0,
  says: action === 'prepare' ? 'interface=eth1\nrule=raw PREROUTING\nrule=filter DOCKER-USER\n' : '',
});

function frame(text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 1;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
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
  const outcomes = new Map<string, { status: number; says: string }>();
  const listeners = new Map<ServerResponse, EventFilters>();
  const asked: string[] = [];
  let made = 0;
  let most = 0;
  let underWay = options.removalsUnderWay ?? 0;
  const version = { Version: '28.5.2', ApiVersion: '1.51', MinAPIVersion: '1.24', ...options.version };

  const imageOf = (name: string): Image | undefined =>
    images.find(({ id, tags }) => id === name || tags.includes(name));

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const url = new URL(incoming.url ?? '/', 'http://docker');
      const path = decodeURIComponent(url.pathname).replace(/^\/v[\d.]+/, '');
      const what = `${incoming.method ?? ''} ${path}`;
      asked.push(`${incoming.method ?? ''} ${decodeURIComponent(incoming.url ?? '')}`);
      const answer = (status: number, body?: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? '' : Buffer.isBuffer(body) ? body : JSON.stringify(body));
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
      if (what === 'GET /images/json') {
        answer(
          200,
          images.map(({ id, tags, size }) => ({ Id: id, RepoTags: tags, Size: size })),
        );
        return;
      }
      if (what === 'POST /images/create') {
        response.writeHead(200);
        for (const line of options.pull?.lines ?? []) response.write(`${JSON.stringify(line)}\r\n`);
        if (options.pull?.brings) images.push(options.pull.brings);
        if (options.pull?.stalls !== true) response.end();
        return;
      }
      const tag = /^\/images\/(.+)\/tag$/.exec(path)?.[1];
      if (tag !== undefined) {
        imageOf(tag)?.tags.push(`${url.searchParams.get('repo') ?? ''}:${url.searchParams.get('tag') ?? ''}`);
        answer(imageOf(tag) ? 201 : 404, imageOf(tag) ? undefined : { message: 'No such image' });
        return;
      }
      const untag = /^DELETE \/images\/(.+)$/.exec(what)?.[1];
      if (untag !== undefined) {
        const found = imageOf(untag);
        if (!found) {
          answer(404, { message: `No such image: ${untag}` });
          return;
        }
        found.tags = found.tags.filter((name) => name !== untag);
        answer(200, []);
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
        if (options.forbids) {
          answer(options.forbids.status, { message: options.forbids.message });
          return;
        }
        const body = JSON.parse(text) as { Image: string; Cmd: string[]; Labels: Record<string, string> };
        const found = imageOf(body.Image);
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
        containers.set(`c${made}`, { name, labels: body.Labels, image: found, args: body.Cmd });
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
        answer(204);
        return;
      }
      if (path.endsWith('/start')) {
        const outcome = known.image.runs(known.args[0] ?? '');
        if ('refused' in outcome) {
          answer(400, { message: outcome.refused });
          return;
        }
        outcomes.set(container, outcome);
        answer(204);
        return;
      }
      if (path.endsWith('/wait') && url.searchParams.get('condition') === 'removed') {
        setTimeout(() => {
          containers.delete(container);
          answer(200, { StatusCode: 137 });
        }, 50);
        return;
      }
      if (path.endsWith('/wait')) {
        answer(200, { StatusCode: outcomes.get(container)?.status });
        return;
      }
      if (path.endsWith('/logs')) {
        answer(200, frame(outcomes.get(container)?.says ?? ''));
        return;
      }
      answer(404, { message: `page not found: ${what}` });
    });
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
    asked,
    mostAtOnce: () => most,
    emit: (events) => {
      for (const [listener, filters] of listeners)
        listener.write(events.replaceAll(/^.*\n/gm, (line) => (isWanted(line, filters) ? line : '')));
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return engine;
}
