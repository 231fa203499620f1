import { dirname, join } from 'node:path';

/** Where the daemon keeps and finds its own things: installed Macs, scripts and docs depend on these. */
export const paths = {
  config: '/etc/tuntapd/config.toml',
  logs: '/var/log/tuntapd',
  socket: '/var/run/tuntapd.sock',
  rootSocket: '/var/run/tuntapd-root.sock',
  journal: '/var/db/tuntapd/journal.json',
  originals: '/var/db/tuntapd/originals.json',
  /** All beside this very program, in the root-only prefix. */
  worker: join(dirname(process.argv[1] ?? ''), 'bundle-worker.mjs'),
  processLister: join(dirname(process.argv[1] ?? ''), 'process-lister.mjs'),
  outsideWorker: join(dirname(process.argv[1] ?? ''), 'outside-worker.mjs'),
  watchWorker: join(dirname(process.argv[1] ?? ''), 'watch-worker.mjs'),
} as const;

/** Group `admin` of every Mac: it may read the log and use the control socket. */
export const adminGroup = 80;
