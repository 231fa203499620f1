import { askMetrics } from '../client.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { plainLines } from '../terminal.js';

/** `tuntapctl metrics`: what the daemon counts, in Prometheus’ text format. */
export async function metrics(io: Io): Promise<number> {
  io.stdout.write(plainLines(await askMetrics(io.socketPath)));
  return exit.healthy;
}
