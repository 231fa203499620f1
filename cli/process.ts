import { spawn } from 'node:child_process';
import { lookup, Resolver } from 'node:dns/promises';
import { version } from '../config/version.js';
import { cleanEnvironment, run } from '../daemon/lib/command.js';
import { answersTcp } from '../daemon/lib/tcp-probe.js';
import { renderShim } from '../daemon/docker-app/shim.js';
import type { Layout } from '../daemon/lib/layout.js';
import { exit } from './exit.js';
import { main } from './main.js';

/** Ctrl-C reaches the program too, which says whether it stops: until it has ended, this process waits for it. */
function inForeground(file: string, args: readonly string[]): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  return new Promise((resolve, reject) => {
    const program = spawn(file, args, { cwd: '/', env: cleanEnvironment, stdio: 'inherit' });
    program.once('error', reject);
    program.once('exit', (code) => {
      resolve(code ?? exit.failed);
    });
  });
}

/** Runs `tuntapctl` as this process, with its arguments and streams. Returns the exit code; never throws. */
export function runProcess(layout: Layout): Promise<number> {
  const ending = new AbortController();
  const end = (): void => {
    ending.abort();
  };
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') process.exit(exit.failed);
      // `tuntapctl status | head -1`: the reader has gone; the exit code still tells the result.
      end();
    });
  return main(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    uid: process.geteuid?.() ?? 0,
    env: process.env,
    now: Date.now,
    version,
    socketPath: layout.socket,
    logPath: `${layout.logs}/tuntapd.log`,
    configPath: `${layout.configuration}/config.toml`,
    layout,
    run,
    inForeground,
    lookUp: (host, port) => {
      const resolver = new Resolver({ timeout: 2000, tries: 1 });
      resolver.setServers([`127.0.0.1:${port}`]);
      return resolver.resolve4(host);
    },
    addressesOf: async (host) => (await lookup(host, { family: 4, all: true })).map(({ address }) => address),
    connect: (address, port, from) => answersTcp(address, from, port === null ? {} : { port }),
    renderShim,
    untilInterrupted: () => {
      process.once('SIGINT', end);
      return ending.signal;
    },
  });
}
