import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentImage } from '../../daemon/guest/agent/image.js';
import { restartDockerd } from './lib/dockerd.js';
import {
  conditionOf,
  dockerOf,
  engineAnswers,
  install,
  logOf,
  must,
  onMac,
  openDocker,
  phaseIs,
  pingFromMac,
  statusOf,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

const program = readFileSync(join(import.meta.dirname, '../../daemon/guest/agent/amd64.agent'));
const [inDockersStore, inContainerdsStore] = agentImage(program, 'amd64').ids;

test(
  'the VM is set up also where the engine has no image at all, in its own store and in containerd’s',
  () =>
    onMac({ engine: 'sid' }, async (mac) => {
      const docker = dockerOf(mac);
      const reports = (): number => logOf(mac, 'the helper container reported').length;
      const isReady = async (): Promise<boolean> => (await statusOf(mac)).phase === 'ready';
      await install(mac);
      await openDocker(mac);
      await engineAnswers(mac);
      await phaseIs(mac, 'ready', 90);
      expect(await docker.store()).toBe('docker');
      expect(await docker.imageIds()).toContain(inDockersStore);

      // The other store knows none of the images of the first one.
      const before = reports();
      await restartDockerd(mac, {
        begun: `mkdir -p /etc/docker; echo '{"features":{"containerd-snapshotter":true}}' >/etc/docker/daemon.json`,
      });
      await until('dockerd has the other store', 120, async () => (await docker.store()) === 'containerd');
      await until('the VM is set up anew', 120, async () => reports() > before && (await isReady()));
      expect(await docker.imageIds()).toEqual([inContainerdsStore]);
      expect((await conditionOf(mac, 'Guest')).status).toBe('True');
      expect(await pingFromMac(mac, '10.0.75.2')).toBe(true);

      await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
      expect([await docker.imageIds(), await docker.containers()]).toEqual([[], []]);
      expect(await pingFromMac(mac, '10.0.75.2')).toBe(false);
    }),
  900_000,
);
