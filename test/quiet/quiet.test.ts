/** Docker’s Resource Saver must be able to sleep: ten minutes in which nobody does anything, us included. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { reload, saidSoFar } from '../e2e/lib/dockerd.js';
import {
  containerAnswers,
  dockerOf,
  install,
  onMac,
  openDocker,
  phaseIs,
  statusOf,
} from '../e2e/lib/vocabulary.js';
import { until } from '../lib/until.js';

const minutes = 10;

test(
  `idle, with a container running, the engine is asked nothing in ${minutes} minutes`,
  () =>
    onMac({ engine: 'sid' }, async (mac) => {
      /** By dockerd’s own log, which its console shows: each request, ours too. */
      const requestsSeen = (): number => saidSoFar(mac, /(?:handling|Calling) [A-Z]+ /g);

      await install(mac);
      await openDocker(mac);
      await containerAnswers(mac, 'idle');
      await reload(mac, { debug: true });
      await until('dockerd tells what it is asked', 60, async () => {
        await dockerOf(mac).version();
        return requestsSeen() > 0;
      });
      await phaseIs(mac, 'ready', 90);
      let before = requestsSeen();
      await until('what a start brings with it is over', 240, async () => {
        const last = before;
        await pause(30_000);
        before = requestsSeen();
        return before === last;
      });
      await pause(minutes * 60_000);
      expect(requestsSeen()).toBe(before);
      expect((await statusOf(mac)).phase).toBe('ready');
      await dockerOf(mac).version();
      await until('dockerd still tells what it is asked', 60, () =>
        Promise.resolve(requestsSeen() === before + 1),
      );
    }),
  1_200_000,
);
