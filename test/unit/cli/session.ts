/** A person at the Terminal of a made-up Mac, which every test of a file has anew: what is typed, and what is printed. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach } from '@jest/globals';
import type { Io } from '../../../cli/io.js';
import { main } from '../../../cli/main.js';
import type { Outcome, Status } from '../../../daemon/api/messages.js';
import type { ControlServer } from '../../../daemon/control/server.js';
import { createFeed, type Feed } from '../../../daemon/control/stream.js';
import { madeUpStatus } from './made-up.js';
import { answering, emptyMac } from './stage.js';

interface World {
  /** The folder of that Mac. */
  root: string;
  io: Io;
  /** What was printed so far. */
  out: string;
  errors: string;
  /** The daemon’s, while one answers. */
  server: ControlServer | null;
  feed: Feed;
  /** Its signal is Ctrl-C. */
  stop: AbortController;
  /** What was left to another program. */
  handedOver: readonly string[];
}

interface Session extends World {
  /** Types a command; returns its exit code. */
  readonly cli: (...argv: string[]) => Promise<number>;
  /** From now on a daemon answers; returns what it is asked to do. */
  readonly daemon: (status?: Status | null, outcome?: Outcome) => Promise<readonly string[]>;
  /** From now on the output is a terminal without colours. */
  readonly onTerminal: (env?: Io['env'], columns?: number) => void;
}

export const until = async (wanted: () => boolean): Promise<void> => {
  for (const end = Date.now() + 5000; !wanted() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Without a daemon at first. */
export function session(): Session {
  const now = {} as World;

  beforeEach(async () => {
    const { root, io } = await emptyMac();
    Object.assign(now, {
      root,
      out: '',
      errors: '',
      server: null,
      feed: createFeed(),
      handedOver: [],
      stop: new AbortController(),
    });
    now.io = {
      ...io,
      stdout: { write: (text) => (now.out += text) },
      stderr: { write: (text) => (now.errors += text) },
      env: {},
      inForeground: (file, args) => {
        now.handedOver = [file, ...args];
        return Promise.resolve(1);
      },
      connect: (address, port) => {
        const said = address === '172.17.0.2' && port === 80 ? 'connected' : 'ECONNREFUSED';
        return Promise.resolve({ alive: true, said });
      },
      lookUp: (host, port) =>
        host === 'web.docker' && port === 299
          ? Promise.resolve(['172.17.0.2'])
          : Promise.reject(Object.assign(new Error('queryA'), { code: 'ENOTFOUND' })),
      addressesOf: (host) =>
        host === 'web.docker'
          ? Promise.resolve(['172.17.0.2'])
          : Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
      renderShim: ({ device, mac, wait }) => `#!/bin/sh\n# ${device} ${mac} ${wait}\n`,
      untilInterrupted: () => now.stop.signal,
    };
  });

  afterEach(async () => {
    await now.server?.close();
    await rm(now.root, { recursive: true });
  });

  return Object.assign(now, {
    cli: (...argv: string[]) => main(argv, now.io),
    daemon: async (status: Status | null = madeUpStatus(), outcome?: Outcome) => {
      const asked: string[] = [];
      const act = (action: string) => () => {
        asked.push(action);
        return Promise.resolve(outcome ?? { done: true, problems: [] });
      };
      now.server = await answering(now.io.layout, {
        version: () => ({ version: '1.2.3', pid: 4711 }),
        status: () => status,
        follow: now.feed.follow,
        metrics: () => 'tuntapd_passes_total 1\ntuntapd_info{version="\u001b[2J"} 1\n',
        up: act('up'),
        down: act('down'),
        restart: act('restart'),
        restore: act('restore'),
        leave: act('leave'),
      });
      return asked;
    },
    onTerminal: (env: Io['env'] = {}, columns = 120) => {
      now.io = {
        ...now.io,
        stdout: { ...now.io.stdout, isTTY: true, columns },
        env: { NO_COLOR: '1', ...env },
      };
    },
  });
}
