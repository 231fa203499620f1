import { dirname, join } from 'node:path';
import { layoutAt } from './layout.js';

const { configuration, logs, socket, rootSocket, journal, originals, newResolver, readers } = layoutAt();
const beside = (program: string): string => join(dirname(process.argv[1] ?? ''), program);

/** Where the daemon keeps and finds its own things: installed Macs, scripts and docs depend on these. */
export const paths = {
  config: join(configuration, 'config.toml'),
  logs,
  socket,
  rootSocket,
  journal,
  originals,
  /** Where a resolver file is made, before it gets its place beside others’. */
  newResolver,
  /** All beside this very program, in the root-only prefix. */
  worker: beside('bundle-worker.mjs'),
  processLister: beside('process-lister.mjs'),
  outsideWorker: beside('outside-worker.mjs'),
  contextWorker: beside('context-worker.mjs'),
  watchWorker: beside('watch-worker.mjs'),
  namesWorker: beside('names-worker.mjs'),
} as const;

/** Group `admin` of every Mac: it may read the log and use the control socket. */
export const adminGroup = readers;
