/** `sudo make install-daemon`, after the build: run as root by the runtime that is to be installed. */
import '../daemon/no-inspector.js';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { install } from './installation.js';
import { layoutAt } from './layout.js';
import { mac, requireRootOnMac, toTheEnd } from './macos.js';
import { readProduct, requireOfficial } from './product.js';

await toTheEnd(async () => {
  await requireRootOnMac('sudo make install-daemon');
  const layout = layoutAt();
  const product = await readProduct(join(import.meta.dirname, '..'));
  const runtime = await realpath(process.execPath);
  requireOfficial(runtime, process.versions.node, product);
  const answer = await install({
    outside: mac,
    layout,
    product,
    runtime,
    patience: 60_000,
    say: (line) => {
      console.log(line);
    },
  });
  console.log(`tuntapd ${answer.version} runs (pid ${answer.pid}, ${answer.phase}).`);
  console.log('Next: open Docker, and see with: tuntapctl status');
});
