/** What the product weighs: size of every bundle, time and memory of a start of the command, time of shim and names. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { timeNames } from './bench-names.mjs';
import { compareShims, median } from './bench-shim.mjs';

const lib = join(import.meta.dirname, '../build/product/lib');
const kilobytes = (bytes) => `${Math.round(bytes / 1024)} kB`;

for (const name of readdirSync(lib))
  console.log(`${name.padEnd(20)} ${kilobytes(statSync(join(lib, name)).size)}`);

const runs = 15;
const report =
  "process.once('exit', () => process.stderr.write(`\\nrss ${process.resourceUsage().maxRSS}`));";
const preload = `data:text/javascript,${encodeURIComponent(report)}`;

/** How a start of the command with these words does; `expected`: the exit statuses that it may have. */
function measure(words, expected, target) {
  const times = [];
  const sizes = [];
  for (let index = 0; index < runs; index += 1) {
    const began = performance.now();
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', preload, join(lib, 'tuntapctl.mjs'), ...words],
      { encoding: 'utf8' },
    );
    times.push(performance.now() - began);
    sizes.push(Number(/rss (\d+)/.exec(stderr)?.[1]));
    if (!expected.includes(status))
      throw new Error(`tuntapctl ${words.join(' ')} ended with ${String(status)}: ${stderr}`);
  }
  console.log(
    `tuntapctl ${words.join(' ')}: ${median(times).toFixed(0)} ms (target ${target}), ${kilobytes(median(sizes) * 1024)} (median of ${runs})`,
  );
}
measure(['--help'], [0], 150);
// Mostly without a daemon, whose answer is a matter of a few ms.
measure(['status'], [0, 3, 4], 150);

const { stdout: shim } = spawnSync(process.execPath, [join(lib, 'tuntapctl.mjs'), 'shim', 'show'], {
  encoding: 'utf8',
});
if (!shim.startsWith('#!/bin/sh\n')) throw new Error('`tuntapctl shim show` printed no shim');
for (const line of await compareShims(shim)) console.log(line);
for (const line of await timeNames(join(lib, 'names-worker.mjs'))) console.log(line);
