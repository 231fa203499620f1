/**
 * A process of its own that installs: contender.mjs ROOT VERSION. Says `ready` and begins at the line that it is given;
 * says `holds` with its files staged, and goes on at the next one. Ends with 0, or with 1 and what stopped it on stderr.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { install } from '../../../launchd/installation.js';
import { checkout } from '../../../launchd/origin.js';
import { layoutAt } from '../../../daemon/lib/layout.js';
import { mac } from '../../../launchd/macos.js';
import { fakeLaunchd } from './fake-launchd.js';

const [root = '', version = ''] = process.argv.slice(2);
const gid = process.getgid?.() ?? 0;
const layout = layoutAt(root, { uid: process.getuid?.() ?? 0, gid }, gid);
const launchd = fakeLaunchd(layout.socket, () => ({ version, leave: { done: true, problems: [] } }));
const lines = createInterface({ input: process.stdin });

async function told(word: string): Promise<void> {
  const line = once(lines, 'line');
  console.log(word);
  await line;
}

await told('ready');
let status = 0;
try {
  await install({
    outside: {
      pause: mac.pause,
      run: async (file, args) => {
        if (file === '/usr/bin/codesign') await told('holds');
        return launchd.run(file, args);
      },
    },
    layout,
    product: {
      version,
      files: ['tuntapd', 'tuntapctl', 'uninstall'].map((name) => ({
        path: `lib/${name}.mjs`,
        content: Buffer.from(version),
      })),
    },
    origin: checkout,
    runtime: join(root, 'runtime'),
    node: '20.0.0',
    caution: null,
    timeout: 1000,
    say: () => undefined,
  });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  status = 1;
}
await launchd.kill();
process.exit(status);
