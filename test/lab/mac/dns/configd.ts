/**
 * configd's part in DNS: it watches /etc/resolver, knows what the network brings, and tells mDNSResponder the resolvers,
 * which it never lets read the files itself.
 */
import { type FSWatcher, watch, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Handlers } from '../rpc.js';
import type { Network } from '../xnu/xnu.js';
import { dnsConfiguration, type DnsResolver } from './configuration.js';
import { type FileResolver, resolverFiles } from './resolver-files.js';

const folder = '/etc/resolver';
/** Milliseconds after which what has changed is read (mDNSMacOSX.c). */
const later = 25;

/**
 * Calls back when an entry of the folder comes, goes or is renamed, and `alsoWritten` when a file in it is written; the
 * folder itself may come and go.
 */
function watchFolder(path: string, { alsoWritten }: { alsoWritten: boolean }, onChange: () => void): void {
  let inner: FSWatcher | null = null;
  function enter(): void {
    inner?.close();
    inner = null;
    try {
      inner = watch(path, (event) => {
        if (event === 'rename' || alsoWritten) onChange();
      });
      inner.on('error', () => undefined);
    } catch {
      // It is not there: its parent tells when it is.
    }
  }
  watch(dirname(path), (event, name) => {
    if (event !== 'rename' || name !== basename(path)) return;
    enter();
    onChange();
  });
  enter();
}

export function createConfigd(parts: {
  macos: string;
  network: Pick<Network, 'interfaces' | 'listen'>;
  /** Told the resolvers whenever they are others. */
  tell: (resolvers: readonly DnsResolver[]) => void;
}): { handlers: Handlers; start: () => void; reset: () => void } {
  const { macos, network, tell } = parts;
  let files: readonly FileResolver[] = [];
  let servers: readonly string[] = [];
  let by = 'en0';
  let told = '';
  let reading: NodeJS.Timeout | undefined;

  function configuration(): readonly DnsResolver[] {
    const all = network.interfaces();
    const own = all.find(({ name }) => name === by);
    return dnsConfiguration(
      {
        servers,
        interface: own ? { index: own.index, name: own.name } : null,
        isOnline: all.some(({ kind, up, addresses }) => kind === 'ethernet' && up && addresses.length > 0),
      },
      files,
    );
  }

  function update(): void {
    const resolvers = configuration();
    const text = JSON.stringify(resolvers);
    if (text === told) return;
    told = text;
    // For those who do not ask macOS.
    writeFileSync('/etc/resolv.conf', servers.map((server) => `nameserver ${server}\n`).join(''));
    tell(resolvers);
  }

  function read(): void {
    files = resolverFiles(folder);
    update();
  }

  return {
    start: () => {
      // Up to 10.15 configd has the folder watched alone (notify_monitor_file), since then by FSEvents.
      watchFolder(folder, { alsoWritten: !macos.startsWith('10.') }, () => {
        clearTimeout(reading);
        reading = setTimeout(read, later);
      });
      network.listen(update);
      read();
    },
    reset: () => {
      servers = [];
      by = 'en0';
      told = '';
      read();
    },
    handlers: {
      'dns.configuration': configuration,
      /** What DHCP, or a VPN that takes over, names as servers. */
      'dns.set': (given: { servers: readonly string[]; interface?: string }) => {
        servers = given.servers;
        by = given.interface ?? 'en0';
        update();
      },
    },
  };
}
