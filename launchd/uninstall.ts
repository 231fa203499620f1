/** `sudo make uninstall-daemon`: run as root, by preference from the installed prefix itself. */
import '../daemon/lib/no-inspector.js';
import { chosen } from './choice.js';
import { layoutAt } from '../daemon/lib/layout.js';
import { mac, requireRootOnMac, toTheEnd } from './macos.js';
import { remove } from './removal.js';

await toTheEnd(async () => {
  const purge = chosen('PURGE', process.env.PURGE);
  const force = chosen('FORCE', process.env.FORCE);
  await requireRootOnMac('sudo make uninstall-daemon');
  await remove({
    outside: mac,
    layout: layoutAt(),
    purge,
    force,
    timeout: 30_000,
    say: (line) => {
      console.log(line);
    },
  });
  console.log('tuntapd is removed.');
});
