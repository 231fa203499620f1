import { configPath } from '../config/load.js';
import { version } from '../config/version.js';
import { run } from '../daemon/command.js';
import { renderShim } from '../daemon/docker-app/shim.js';
import { layoutAt } from '../launchd/layout.js';
import { main } from './main.js';

const interrupted = new AbortController();
process.once('SIGINT', () => {
  interrupted.abort();
});
// `tuntapctl logs | head`: whoever read has gone.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const layout = layoutAt();
process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  version,
  socketPath: layout.socket,
  logPath: `${layout.logs}/tuntapd.log`,
  configPath,
  layout,
  run,
  renderShim,
  signal: interrupted.signal,
});
