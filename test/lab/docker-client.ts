/** What a developer does with `docker run` and `docker network create`, as HTTP to the lab user's own Docker socket. */
import { request } from 'node:http';

export interface DockerClient {
  readonly version: () => Promise<string>;
  /** Runs a web server in a container that publishes no port; returns its address on its network. */
  readonly serve: (name: string, network?: string) => Promise<string>;
  readonly createNetwork: (name: string, subnet: string) => Promise<void>;
  readonly removeNetwork: (name: string) => Promise<void>;
  readonly remove: (container: string) => Promise<void>;
}

const page = 'mkdir -p /www && echo "served by $1" > /www/index.html && exec httpd -f -p 80 -h /www';

/** Talks to the Docker socket at `socketPath`; every call rejects with the engine's own words. */
export function dockerClient(socketPath: string): DockerClient {
  const call = <T>(method: string, path: string, body?: unknown): Promise<T> =>
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
            const text = Buffer.concat(chunks).toString();
            if ((response.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${text.trim()}`));
            else resolve((text === '' ? undefined : JSON.parse(text)) as T);
          });
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in 60 s`)));
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });

  return {
    version: async () => (await call<{ Version: string }>('GET', '/version')).Version,
    serve: async (name, network = 'bridge') => {
      const { Id } = await call<{ Id: string }>('POST', `/containers/create?name=${name}`, {
        Image: 'busybox:lab',
        Cmd: ['sh', '-c', page, 'sh', name],
        HostConfig: { NetworkMode: network },
      });
      await call('POST', `/containers/${Id}/start`);
      const { NetworkSettings } = await call<{
        NetworkSettings: { Networks: Record<string, { IPAddress: string } | undefined> };
      }>('GET', `/containers/${Id}/json`);
      const address = NetworkSettings.Networks[network]?.IPAddress;
      if (!address) throw new Error(`container ${name} has no address on network ${network}`);
      return address;
    },
    createNetwork: async (name, subnet) => {
      await call('POST', '/networks/create', {
        Name: name,
        Driver: 'bridge',
        IPAM: { Config: [{ Subnet: subnet }] },
      });
    },
    removeNetwork: (name) => call('DELETE', `/networks/${name}`),
    remove: (container) => call('DELETE', `/containers/${container}?force=true`),
  };
}
