/** A Mac for tests and demos, driven from outside: `const mac = await bootMac({ engine: 'sid' }); … await mac.end();` */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { call } from './mac/rpc.js';
import { defaultMac, type MacOptions } from './mac/options.js';
import { ensureImage } from './vm/image.js';

export type EngineName = 'bookworm' | 'trixie' | 'sid';

export interface BootOptions extends Partial<Omit<MacOptions, 'vm'>> {
  /** The Docker Engine in the VM; without one, hyperkit has nothing to boot. */
  readonly engine?: EngineName;
  /** The VM's; two VMs at once start soonest with one each. */
  readonly processors?: number;
  /** Told what takes long. */
  readonly progress?: (line: string) => void;
}

export interface RunOptions {
  /** Milliseconds; 60 000 unless told. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

export interface SpawnOptions extends RunOptions {
  /** root, person or other. */
  readonly user?: string;
  readonly stdio?: 'pipe' | 'inherit';
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface Mac {
  /** The Mac's pid 1, as seen from outside. */
  readonly pid: number;
  /** Runs a command as root in a Terminal of the Mac. Rejects only when it could not start or took too long. */
  readonly run: (argv: readonly string[], options?: RunOptions) => Promise<RunResult>;
  /** The same as the console user, in his session. */
  readonly asUser: (argv: readonly string[], options?: RunOptions & { user?: string }) => Promise<RunResult>;
  /** Starts a command and returns its process outside; killing that ends the command too. */
  readonly spawn: (argv: readonly string[], options?: SpawnOptions) => ChildProcess;
  /** Asks the machine itself. */
  readonly call: <T>(op: string, payload?: unknown) => Promise<T>;
  /** A file of the Mac, seen from outside. */
  readonly path: (path: string) => string;
  readonly reboot: () => Promise<void>;
  /** To the screen; by `name` when that is not the account's own (a full name, a mail address). */
  readonly login: (user?: string, name?: string) => Promise<void>;
  /** By screen sharing: another session, behind whoever has the screen. */
  readonly loginFromAfar: (user: string) => Promise<void>;
  readonly logout: () => Promise<void>;
  /** What the machine said on its own stderr. */
  readonly console: () => string;
  /** Ends it and everything in it; never rejects, may be called twice. */
  readonly end: () => Promise<void>;
}

const here = import.meta.dirname;
const checkout = resolve(here, '../..');

const environment = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  LANG: 'en_US.UTF-8',
};

const accounts: Readonly<Record<string, { uid: number; gid: number; home: string }>> = {
  root: { uid: 0, gid: 0, home: '/var/root' },
  person: { uid: 501, gid: 20, home: '/Users/person' },
  other: { uid: 502, gid: 20, home: '/Users/other' },
};

const builds = join(checkout, 'build');

/** Bundles the lab's programs for one boot, which copies them; those of boots that were killed are swept. */
function bundle(): string {
  mkdirSync(builds, { recursive: true });
  for (const name of readdirSync(builds)) {
    const owner = /^lab-(\d+)(?:-|$)/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`))
      rmSync(join(builds, name), { recursive: true, force: true });
  }
  const target = join(builds, `lab-${process.pid}-${randomUUID()}`);
  const { status, stderr } = spawnSync(process.execPath, [join(here, 'build.mjs'), target], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the lab's programs could not be bundled:\n${stderr}`);
  return target;
}

const collect = (stream: Readable | null): (() => string) => {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
};

/** Boots a fresh Mac; rejects with what the lab said when it could not. */
export async function bootMac(options: BootOptions = {}): Promise<Mac> {
  const { engine, processors = 1, progress = () => undefined, ...chosen } = options;
  if (process.getuid?.() !== 0) throw new Error('the lab makes namespaces and mounts: it needs root');
  const image = engine === undefined ? null : await ensureImage(engine, progress);
  const cache = image ? dirname(image.disk) : '';
  const inLab = (path: string): string => path.replace(cache, '/.lab/cache');
  const mac: MacOptions = {
    ...defaultMac,
    ...chosen,
    vm: image && {
      kernel: inLab(image.kernel),
      initrd: inLab(image.initrd),
      disk: inLab(image.disk),
      processors,
    },
  };
  const libraries = bundle();
  progress('booting the Mac');
  const lab = spawn('/bin/bash', [join(here, 'enter.sh'), checkout, libraries, cache, JSON.stringify(mac)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const said = collect(lab.stdout);
  const complained = collect(lab.stderr);
  const gone = new Promise<void>((settle) =>
    lab.once('exit', () => {
      settle();
    }),
  );
  lab.stdin.on('error', () => undefined);

  const end = async (): Promise<void> => {
    // The end of the lease ends the Mac; whoever does not heed it is taken by his parents' end.
    lab.stdin.end();
    const timer = setTimeout(() => lab.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(timer);
  };

  let pid = 0;
  let booted = (): void => undefined;
  try {
    await new Promise<void>((settle, reject) => {
      createInterface({ input: lab.stdio[3] as Readable }).on('line', (line) => {
        if (line.startsWith('pid ')) pid = Number(line.slice(4));
        if (line !== 'ready') return;
        booted();
        settle();
      });
      lab.once('error', reject);
      lab.once('close', () => {
        reject(new Error(`the lab Mac did not boot:\n${complained()}${said()}`));
      });
      const timer = setTimeout(() => {
        reject(new Error(`the lab Mac did not boot in 60 s:\n${complained()}`));
      }, 60_000);
      lab.once('close', () => {
        clearTimeout(timer);
      });
      booted = () => {
        clearTimeout(timer);
      };
    });
  } catch (error) {
    await end();
    throw error;
  } finally {
    rmSync(libraries, { recursive: true, force: true });
  }

  // Debian's /var/run is a link to /run, which from outside is another one.
  const path = (inside: string): string => `/proc/${pid}/root${inside.replace(/^\/var\/run\//, '/run/')}`;
  const socket = path('/.lab/run/mac.sock');

  const start = (
    argv: readonly string[],
    { user = 'root', env = {}, cwd = '/', stdio = 'pipe' }: SpawnOptions = {},
  ) => {
    const account = accounts[user];
    if (!account) throw new Error(`the lab Mac knows nobody called ${user}`);
    const { uid, gid, home } = account;
    // A Terminal of the session of whoever sits there; see mac/session.ts.
    const script =
      'cd "$1" && { [ "$2" = 0 ] || echo "$2" >/proc/self/oom_score_adj; } && shift 2 && exec "$@"';
    return spawn(
      'nsenter',
      [
        ...['--target', String(pid), '--mount', '--pid', '--net', '--uts', '--ipc', '--root', '--wd', '--'],
        ...['/bin/sh', '-c', script, 'sh', cwd, String(uid)],
        ...['/.lab/bin/setpriv', `--reuid=${uid}`, `--regid=${gid}`],
        ...(uid === 0 ? ['--clear-groups'] : ['--groups', user === 'person' ? '20,12,80' : '20,12']),
        ...['--pdeathsig', 'KILL', '--', ...argv],
      ],
      { env: { ...environment, HOME: home, USER: user, LOGNAME: user, ...env }, stdio },
    );
  };

  const run = (
    argv: readonly string[],
    runOptions: RunOptions & { user?: string } = {},
  ): Promise<RunResult> =>
    new Promise((settle, reject) => {
      const child = start(argv, runOptions);
      const stdout = collect(child.stdout);
      const stderr = collect(child.stderr);
      const { timeout = 60_000 } = runOptions;
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, timeout);
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(runOptions.input ?? '');
      child.once('error', reject);
      let closing: NodeJS.Timeout | undefined;
      const done = (exitCode: number): void => {
        clearTimeout(timer);
        clearTimeout(closing);
        child.stdout?.destroy();
        child.stderr?.destroy();
        if (late) {
          reject(
            new Error(`${argv.join(' ')}: took longer than ${timeout / 1000} s\n${stderr()}${stdout()}`),
          );
        } else settle({ stdout: stdout(), stderr: stderr(), exitCode });
      };
      child.once('exit', (code) => {
        // A daemon that it left behind may hold its output open for ever.
        closing = setTimeout(done, 2000, code ?? 128);
      });
      child.once('close', (code) => {
        done(code ?? 128);
      });
    });

  return {
    pid,
    run: (argv, runOptions) => run(argv, runOptions),
    asUser: (argv, runOptions) => run(argv, { user: 'person', ...runOptions }),
    spawn: start,
    call: (op, payload) => call(op, payload, socket),
    path,
    reboot: () => call('mac.reboot', {}, socket),
    login: (user = 'person', name) => call('mac.login', { user, name }, socket),
    loginFromAfar: (user) => call('mac.login-from-afar', { user }, socket),
    logout: () => call('mac.logout', {}, socket),
    console: () => `${complained()}${said()}`,
    end,
  };
}
