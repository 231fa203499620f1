/**
 * What the shim costs a start of hyperkit, on one of Docker's own command lines: against a bare `exec`, and against one
 * that looks at each argument by grep and sed, as docker-tuntap-osx's does.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { build } from 'esbuild';

const bare = `#!/bin/sh
exec "$0.original" "$@"
`;

const byGrepAndSed = `#!/bin/sh
last=0
for word in "$@"; do
  if echo "$word" | grep -q -E '^[0-9]+(:[0-9]+)?,virtio-'; then
    slot=$(echo "$word" | sed -E 's/^([0-9]+).*/\\1/')
    if [ "$slot" -gt "$last" ]; then last=$slot; fi
  fi
done
exec "$0.original" "$@" -s "$((last + 1)):0,virtio-tap,tap1"
`;

/** Docker 4.1.1's, as the lab's Docker has it. */
async function commandLine() {
  const source = join(import.meta.dirname, 'lab/docker/command-line.ts');
  const { outputFiles } = await build({ entryPoints: [source], format: 'esm', write: false });
  const { dockerStart } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
  return dockerStart('4.1.1', '/Applications/Docker.app', '/Users/person/Data').argv;
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** One line for each, the median of rounds in which they take turns. `shim`: the text as it would be installed. */
export async function compareShims(shim, rounds = 9) {
  const argv = await commandLine();
  const folder = mkdtempSync(join(tmpdir(), 'shims-'));
  const kinds = [
    { file: 'bare', text: bare, runs: 100 },
    { file: 'tuntapd', text: shim, runs: 100 },
    { file: 'grep', text: byGrepAndSed, runs: 10 },
  ];
  try {
    for (const { file, text } of kinds) {
      writeFileSync(join(folder, file), text, { mode: 0o755 });
      copyFileSync('/usr/bin/true', join(folder, `${file}.original`));
      chmodSync(join(folder, `${file}.original`), 0o755);
    }
    const times = kinds.map(() => []);
    for (let round = 0; round < rounds; round += 1)
      for (const [index, { file, runs }] of kinds.entries()) {
        // A shell starts them, since a process of node's size takes longer to fork than the shim to run.
        const loop = 'n=$1; shift; while [ "$n" -gt 0 ]; do "$0" "$@" || exit 1; n=$((n - 1)); done';
        const began = performance.now();
        const { status } = spawnSync('/bin/sh', ['-c', loop, join(folder, file), String(runs), ...argv], {
          stdio: 'ignore',
        });
        if (status !== 0) throw new Error(`the shim “${file}” ended with ${String(status)}`);
        times[index].push((performance.now() - began) / runs);
      }
    const [ofBare, ofOurs, ofGrep] = times.map(median);
    return [
      `start of hyperkit, ${argv.length} arguments: bare exec ${ofBare.toFixed(2)} ms`,
      `  tuntapd's shim ${ofOurs.toFixed(2)} ms, ${(ofOurs / ofBare).toFixed(2)} times that (target <= 1.5)`,
      `  grep and sed for each argument ${ofGrep.toFixed(2)} ms, ${(ofGrep / ofOurs).toFixed(1)} times ours (target >= 5)`,
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
