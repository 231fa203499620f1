/**
 * `sudo make install-daemon`, after the build, and `sudo ./install` of a release (`install.mjs release`): run as root by the
 * runtime that is to be installed.
 */
import '../daemon/lib/no-inspector.js';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { plain } from '../daemon/lib/text.js';
import { install } from './installation.js';
import { layoutAt } from '../daemon/lib/layout.js';
import { mac, requireRootOnMac, toTheEnd } from './macos.js';
import { originOf } from './origin.js';
import { Problem } from './problem.js';
import { readProduct, requireOfficial } from './product.js';
import { machineOf, runtimeFor, unsupported } from '../daemon/lib/runtimes.js';

await toTheEnd(async () => {
  const origin = originOf(process.argv[2], import.meta.dirname);
  await requireRootOnMac(origin.command);
  const layout = layoutAt();
  const product = await readProduct(join(import.meta.dirname, '..'), origin);
  const runtime = await realpath(process.execPath);
  const macos = (await mac.run('/usr/bin/sw_vers', ['-productVersion'])).stdout.trim();
  const { processor } = machineOf((await mac.run('/usr/bin/uname', ['-mv'])).stdout);
  const node = runtimeFor(macos, processor);
  if (!node) throw new Problem(`No runtime is known for macOS ${plain(macos)}. Nothing was done.`);
  requireOfficial(runtime, process.versions.node, { node: node.version, processor }, origin);
  const answer = await install({
    outside: mac,
    layout,
    product,
    origin,
    runtime,
    node: node.version,
    caution: unsupported(node, macos),
    timeout: 60_000,
    say: (line) => {
      console.log(line);
    },
  });
  console.log(`tuntapd ${answer.version} runs (pid ${answer.pid}, ${answer.phase}).`);
  console.log('Next: open Docker, then run: tuntapctl status');
});
