/**
 * Removes tuntapd, as root and by preference from the installed prefix itself:
 *
 *     PURGE=1 FORCE=1 uninstall.mjs                        as `sudo make uninstall-daemon` asks
 *     uninstall.mjs tuntapctl [--purge] [--force] [--json] as `sudo tuntapctl uninstall` does
 */
import '../daemon/lib/no-inspector.js';
import { chosen } from './choice.js';
import { layoutAt } from '../daemon/lib/layout.js';
import { mac, requireRootOnMac, toTheEnd } from './macos.js';
import { answerOfRemoval, byCommand, byMake, remove } from './removal.js';

await toTheEnd(async () => {
  const [asker, ...options] = process.argv.slice(2);
  const wording = asker === 'tuntapctl' ? byCommand : byMake;
  const purge = chosen('PURGE', process.env.PURGE) || options.includes('--purge');
  const force = chosen('FORCE', process.env.FORCE) || options.includes('--force');
  const isJson = options.includes('--json');
  await requireRootOnMac(wording.command);
  const said: string[] = [];
  await remove({
    outside: mac,
    layout: layoutAt(),
    purge,
    force,
    wording,
    timeout: 30_000,
    say: (line) => {
      if (isJson) said.push(line);
      else console.log(line);
    },
  });
  console.log(isJson ? JSON.stringify(answerOfRemoval(said), null, 2) : 'tuntapd is removed.');
});
