/** `sudo make uninstall-daemon`: run as root, by preference from the installed prefix itself. */
import { layoutAt } from './layout.js';
import { mac, requireRootOnMac, toTheEnd } from './macos.js';
import { remove } from './removal.js';

const chosen = (name: string): boolean => !['', '0', undefined].includes(process.env[name]);

await toTheEnd(async () => {
  await requireRootOnMac('sudo make uninstall-daemon');
  await remove({
    outside: mac,
    layout: layoutAt(),
    purge: chosen('PURGE'),
    force: chosen('FORCE'),
    patience: 30_000,
    say: (line) => {
      console.log(line);
    },
  });
  console.log('tuntapd is removed.');
});
