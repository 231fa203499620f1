/** tuntapctl on a made-up Mac below a folder of its own: what a person sees of it. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Io } from '../../../cli/io.js';
import { main } from '../../../cli/main.js';
import type { Status } from '../../../daemon/api/messages.js';
import { type ControlServer, serveControl } from '../../../daemon/control/server.js';
import { createFeed } from '../../../daemon/control/stream.js';
import { type Layout, layoutAt } from '../../../daemon/lib/layout.js';
import { runtimes } from '../../../daemon/lib/runtimes.js';

const kernel = 'Darwin Kernel Version 23.6.0: Mon Jul 29 2024; root:xnu-10063.141.2~1/RELEASE_';
/** What `uname -mv` prints on an Intel Mac, on Apple silicon, and there by Rosetta. */
export const intel = `${kernel}X86_64 x86_64\n`;
export const appleSilicon = `${kernel}ARM64_T8103 arm64\n`;
export const byRosetta = `${kernel}ARM64_T8103 x86_64\n`;

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

export interface Stage {
  readonly io: Io;
  /** Runs tuntapctl, on this Io or a changed one. */
  readonly cli: (argv: readonly string[], change?: Partial<Io>) => Promise<Said>;
  /** From now on a daemon answers with this status, in place of the one before. */
  readonly daemon: (status: Status | null, version?: string) => Promise<void>;
  /** Ends a daemon, so that none answers. */
  readonly silence: () => Promise<void>;
  /** Puts every file of an installation at its place. */
  readonly install: () => Promise<void>;
  readonly end: () => Promise<void>;
}

/** An empty Mac of this user's own below `root`, which is to be removed, and how tuntapctl sees it. */
export async function emptyMac(): Promise<{ readonly root: string; readonly io: Io }> {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const root = await mkdtemp(join(tmpdir(), 'stage-'));
  const layout = layoutAt(root, { uid, gid }, gid);
  for (const folder of [dirname(layout.socket), layout.logs, layout.configuration])
    await mkdir(folder, { recursive: true });
  const io: Io = {
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    env: { NO_COLOR: '1' },
    now: () => Date.parse('2026-03-04T05:18:07.000Z'),
    version: '1.2.3',
    socketPath: layout.socket,
    logPath: join(layout.logs, 'tuntapd.log'),
    configPath: join(layout.configuration, 'config.toml'),
    layout,
    run: (file) =>
      Promise.resolve({
        stdout:
          file === '/usr/bin/uname'
            ? intel
            : file === layout.cliRuntime
              ? `v${runtimes.x64.old.version}\n`
              : '12.7.6\n',
        stderr: '',
        exitCode: 0,
      }),
    inForeground: () => Promise.resolve(1),
    connect: () => Promise.resolve({ alive: true, said: 'connected' }),
    lookUp: () => Promise.resolve([]),
    addressesOf: () => Promise.resolve([]),
    uid: 501,
    renderShim: () => '#!/bin/sh\n',
    untilInterrupted: () => new AbortController().signal,
  };
  return { root, io };
}

/** A daemon of that Mac's that answers so. */
export const answering = (
  layout: Layout,
  handlers: Parameters<typeof serveControl>[0]['handlers'],
): Promise<ControlServer> =>
  serveControl({
    socketPath: layout.socket,
    rootSocketPath: layout.rootSocket,
    gid: layout.readers,
    log: () => undefined,
    handlers,
  });

/** Puts every file of an installation at its place. */
export async function installed(layout: Layout): Promise<void> {
  for (const file of [layout.daemon, layout.cli, layout.plist, layout.cliLink])
    await mkdir(dirname(file), { recursive: true });
  for (const file of [layout.daemon, layout.cli, layout.plist, layout.runtime, layout.cliRuntime]) {
    await writeFile(file, '');
    await chmod(file, 0o644);
  }
  await symlink(layout.cli, layout.cliLink);
}

/** An empty Mac without a daemon. */
export async function stage(): Promise<Stage> {
  const { root, io } = await emptyMac();
  const { layout } = io;
  let server: ControlServer | null = null;
  let told: { status: Status | null; version: string } = { status: null, version: '' };
  const silence = async (): Promise<void> => {
    await server?.close();
    server = null;
  };
  const done = () => Promise.resolve({ done: true, problems: [] });
  return {
    io,
    silence,
    cli: async (argv, change = {}) => {
      let [out, errors] = ['', ''];
      const changed = { ...io, ...change };
      const code = await main(argv, {
        ...changed,
        stdout: { ...changed.stdout, write: (text) => (out += text) },
        stderr: { ...changed.stderr, write: (text) => (errors += text) },
      });
      return { code, out, errors };
    },
    daemon: async (status, version = status?.version ?? '1.2.3') => {
      told = { status, version };
      server ??= await answering(layout, {
        version: () => ({ version: told.version, pid: 4711 }),
        status: () => told.status,
        follow: createFeed().follow,
        metrics: () => '',
        up: done,
        down: done,
        restart: done,
        restore: done,
        leave: done,
      });
    },
    install: () => installed(layout),
    end: async () => {
      await silence();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** A terminal of so many columns. */
export const terminal = (columns: number): Pick<Io, 'stdout'> => ({
  stdout: { write: () => undefined, isTTY: true, columns },
});

/** The codes that doctor’s text has with this sign. */
export const codesWith = (sign: string, { out }: Said): readonly string[] =>
  out.split('\n').flatMap((line) => (line.startsWith(`${sign} `) ? [line.split(' ')[1] ?? ''] : []));
