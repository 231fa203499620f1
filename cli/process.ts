import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { writeSync } from 'node:fs';
import { version } from '../config/version.js';
import { cleanEnvironment, run } from '../daemon/lib/command.js';
import { messageOf } from '../daemon/lib/text.js';
import { answersTcp } from '../daemon/lib/tcp-probe.js';
import { renderShim } from '../daemon/docker-app/shim.js';
import type { Layout } from '../daemon/lib/layout.js';
import { addressesOf } from './addresses.js';
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

/** Says on stderr why nothing can be printed, where that is still possible. */
function complain(error: Error): void {
  try {
    writeSync(2, `tuntapctl: the answer could not be printed: ${messageOf(error)}\n`);
  } catch {
    // The exit code tells.
  }
}

/** Resolves once an output has handed over all that was printed, or nobody takes it any more. */
const flushed = (output: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    output.write('', () => {
      resolve();
    });
  });

/** Runs `tuntapctl` as this process, with its arguments and streams, and ends it, whatever may still be open. Never throws. */
export async function runProcess(layout: Layout): Promise<never> {
  const ending = new AbortController();
  const end = (): void => {
    ending.abort();
  };
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // What stderr has no room for is a complaint, which the exit code makes too.
      if (error.code !== 'EPIPE' && stream === process.stdout) {
        complain(error);
        process.exit(exit.failed);
      }
      // `tuntapctl status | head -1`: the reader has gone; the exit code still tells the result.
      if (error.code === 'EPIPE') end();
    });
  const code = await main(process.argv.slice(2), {
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
    addressesOf,
    connect: (address, port, from) => answersTcp(address, from, port === null ? {} : { port }),
    renderShim,
    untilInterrupted: () => {
      process.once('SIGINT', end);
      return ending.signal;
    },
  });
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(code);
}
