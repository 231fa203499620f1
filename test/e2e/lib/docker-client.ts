/** What a developer does with `docker run` and `docker network create`, as HTTP to the lab user's own Docker socket. */
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { until } from '../../lib/until.js';
import { inVm } from './vm-shell.js';

export interface DockerClient {
  readonly version: () => Promise<string>;
  /** Runs a web server in a container, which publishes no port unless told; returns its address on its network. */
  readonly serve: (name: string, network?: string, options?: ServeOptions) => Promise<string>;
  /** The IPv6 address that a running container has on a network. */
  readonly address6: (container: string, network?: string) => Promise<string>;
  /** With the engine's own subnet when none is given. */
  readonly createNetwork: (
    name: string,
    subnets?: string | readonly string[],
    more?: NetworkOptions,
  ) => Promise<void>;
  /** What is running, ours and others'. */
  readonly containers: () => Promise<readonly { names: readonly string[]; labels: Labels }[]>;
  readonly images: () => Promise<readonly string[]>;
  readonly imageIds: () => Promise<readonly string[]>;
  /** Where the engine keeps images: in its own store, or in containerd's. */
  readonly store: () => Promise<'docker' | 'containerd'>;
  /** Runs a shell script as root in the VM, whether the engine answers or not; returns what it printed. */
  readonly inVm: (script: string) => Promise<string>;
  /** The same by a privileged container, as docker-tuntap-osx's scripts do it. */
  readonly inVmByContainer: (script: string) => Promise<string>;
  readonly removeNetwork: (name: string) => Promise<void>;
  readonly remove: (container: string) => Promise<void>;
  readonly rename: (container: string, name: string) => Promise<void>;
  /** Makes the engine a swarm of its own. */
  readonly beginSwarm: () => Promise<unknown>;
  readonly leaveSwarm: () => Promise<unknown>;
}

/** Takes what an engine refuses with these words for done. */
const isDone =
  (words: RegExp) =>
  (error: unknown): true => {
    if (error instanceof Error && words.test(error.message)) return true;
    throw error;
  };

type Labels = Readonly<Record<string, string>>;

export interface ServeOptions {
  readonly publish?: number;
  /** An address of its own on the network, as a compose file gives one; started again whenever the engine starts. */
  readonly always?: string;
  /** Further names on that network. */
  readonly aliases?: readonly string[];
  /** Its IPv6 address beside `always`. */
  readonly always6?: string;
  readonly labels?: Labels;
}

export interface NetworkOptions {
  readonly driver?: string;
  readonly internal?: boolean;
  /** Of an overlay: whether a container that is no swarm's may join it. */
  readonly attachable?: boolean;
  readonly labels?: Labels;
  readonly options?: Labels;
}

/** Beside its page a file of many full packets. */
const page =
  'mkdir -p /www && echo "served by $1" > /www/index.html && head -c 1000000 /dev/zero > /www/large && ' +
  'exec httpd -f -p 80 -h /www';

/**
 * Talks to the Docker socket at `socketPath`, and with the VM behind it by `shellPath` (the lab's `shellFile`); every call
 * rejects with the other's own words.
 */
export function dockerClient(socketPath: string, shellPath: string): DockerClient {
  const text = (method: string, path: string, body?: unknown): Promise<string> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath,
          method,
          path,
          timeout: 60_000,
          headers: body === undefined ? {} : { 'content-type': 'application/json' },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const said = Buffer.concat(chunks).toString();
            if ((response.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${said.trim()}`));
            else resolve(said);
          });
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in 60 s`)));
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const said = await text(method, path, body);
    return (said === '' ? undefined : JSON.parse(said)) as T;
  };
  const create = async (name: string, body: object): Promise<string> =>
    (await call<{ Id: string }>('POST', `/containers/create?name=${name}`, { Image: 'busybox:lab', ...body }))
      .Id;

  /** The exit code; asked twice, since an authorisation plugin that goes meanwhile takes the first answer with it. */
  const ended = async (id: string): Promise<number> => {
    const ask = (): Promise<{ StatusCode: number } | undefined> => call('POST', `/containers/${id}/wait`);
    const said = (await ask()) ?? (await ask());
    if (!said) throw new Error(`the engine does not say how container ${id} ended`);
    return said.StatusCode;
  };

  return {
    version: async () => (await call<{ Version: string }>('GET', '/version')).Version,
    serve: async (name, network = 'bridge', { publish, always, always6, aliases, labels = {} } = {}) => {
      const id = await create(name, {
        Cmd: ['sh', '-c', page, 'sh', name],
        Labels: labels,
        ...(publish === undefined ? {} : { ExposedPorts: { '80/tcp': {} } }),
        HostConfig: {
          NetworkMode: network,
          ...(publish === undefined ? {} : { PortBindings: { '80/tcp': [{ HostPort: String(publish) }] } }),
          ...(always === undefined ? {} : { RestartPolicy: { Name: 'always' } }),
        },
        ...(always === undefined && aliases === undefined
          ? {}
          : {
              NetworkingConfig: {
                EndpointsConfig: {
                  [network]: {
                    ...(always === undefined
                      ? {}
                      : {
                          IPAMConfig: {
                            IPv4Address: always,
                            ...(always6 === undefined ? {} : { IPv6Address: always6 }),
                          },
                        }),
                    ...(aliases === undefined ? {} : { Aliases: aliases }),
                  },
                },
              },
            }),
      });
      await call('POST', `/containers/${id}/start`);
      const { NetworkSettings } = await call<{
        NetworkSettings: { Networks: Record<string, { IPAddress: string } | undefined> };
      }>('GET', `/containers/${id}/json`);
      const address = NetworkSettings.Networks[network]?.IPAddress;
      if (!address) throw new Error(`container ${name} has no address on network ${network}`);
      return address;
    },
    address6: async (container, network = 'bridge') => {
      const { NetworkSettings } = await call<{
        NetworkSettings: { Networks: Record<string, { GlobalIPv6Address: string } | undefined> };
      }>('GET', `/containers/${container}/json`);
      const address = NetworkSettings.Networks[network]?.GlobalIPv6Address;
      if (!address) throw new Error(`container ${container} has no IPv6 address on network ${network}`);
      return address;
    },
    createNetwork: async (
      name,
      subnets = [],
      { driver = 'bridge', internal = false, attachable = false, labels = {}, options = {} } = {},
    ) => {
      const wanted = [subnets].flat();
      await call('POST', '/networks/create', {
        Name: name,
        Driver: driver,
        Internal: internal,
        Attachable: attachable,
        EnableIPv6: wanted.some((subnet) => subnet.includes(':')),
        Labels: labels,
        Options: options,
        ...(wanted.length === 0 ? {} : { IPAM: { Config: wanted.map((Subnet) => ({ Subnet })) } }),
      });
    },
    removeNetwork: (name) => call('DELETE', `/networks/${name}`),
    rename: (container, name) => call('POST', `/containers/${container}/rename?name=${name}`),
    remove: (container) => call('DELETE', `/containers/${container}?force=true`),
    // moby gives itself seconds for each, and goes on when they are over: asked again, it says that it is done.
    beginSwarm: () =>
      until('it is in a swarm', 120, () =>
        call('POST', '/swarm/init', { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1' }).then(
          () => true,
          isDone(/already part of a swarm/),
        ),
      ),
    leaveSwarm: () =>
      until('it is in no swarm', 120, () =>
        call('POST', '/swarm/leave?force=true').then(() => true, isDone(/not part of a swarm/)),
      ),
    containers: async () =>
      (await call<{ Names: string[]; Labels: Labels }[]>('GET', '/containers/json?all=true')).map(
        ({ Names, Labels }) => ({ names: Names, labels: Labels }),
      ),
    images: async () =>
      (await call<{ RepoTags: string[] | null }[]>('GET', '/images/json')).flatMap(
        ({ RepoTags }) => RepoTags ?? [],
      ),
    imageIds: async () => (await call<{ Id: string }[]>('GET', '/images/json?all=true')).map(({ Id }) => Id),
    store: async () => {
      const { DriverStatus } = await call<{ DriverStatus: string[][] | null }>('GET', '/info');
      return DriverStatus?.some(([, value]) => value?.startsWith('io.containerd.snapshotter') === true) ===
        true
        ? 'containerd'
        : 'docker';
    },
    inVm: (script) => inVm(shellPath, script),
    inVmByContainer: async (script) => {
      const id = await create(`in-vm-${randomUUID()}`, {
        Cmd: ['nsenter', '-t', '1', '-m', '-n', '-p', '--', '/bin/sh', '-c', script],
        Tty: true,
        HostConfig: { Privileged: true, PidMode: 'host', NetworkMode: 'none' },
      });
      try {
        await call('POST', `/containers/${id}/start`);
        const status = await ended(id);
        const said = await text('GET', `/containers/${id}/logs?stdout=true&stderr=true`);
        if (status !== 0) throw new Error(`in the VM: ${script}\nended with ${status}: ${said}`);
        return said.replaceAll('\r\n', '\n');
      } finally {
        await call('DELETE', `/containers/${id}?force=true`);
      }
    },
  };
}
