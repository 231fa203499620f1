import { createServer, type Server } from 'node:http';
import { copyFileSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse } from 'plist';
import { type CommandResult, run } from '../../../daemon/lib/command.js';
import type { Outside } from '../../../launchd/launchctl.js';

/** Apple's anchor, and the team of Node.js. */
const nodesOwn = 'anchor apple generic and certificate leaf[subject.OU] = "HX7739G8FX"';
const service = 'system/io.github.tuntapd';
const done: CommandResult = { stdout: '', stderr: '', exitCode: 0 };
const failed = (exitCode: number, stderr: string): CommandResult => ({
  stdout: '',
  stderr: `${stderr}\n`,
  exitCode,
});

/** What a started daemon is: `null` is one that starts and never answers. */
export type Daemon = {
  version: string;
  leave: { done: boolean; problems: string[] };
  /** Whether its first look is over, before which it has no status; else that is when it leaves. */
  hasLooked?: boolean;
} | null;

export interface FakeLaunchd extends Outside {
  readonly loaded: () => boolean;
  /** From now on `kickstart` calls what runs already a failure. */
  readonly insist: () => void;
  readonly disable: () => void;
  /** What its list of disabled services says of ours; null: it is not in it. */
  readonly listed: () => boolean | null;
  /** From now on nobody may see that list. */
  readonly hideList: () => void;
  /** From now on the list is that of macOS 12. */
  /** How `print-disabled` says that a service is disabled, and that it is not. */
  readonly listBy: (disabled: string, enabled: string) => void;
  /** Errors that the next bootstraps give before they work. */
  readonly refuse: (...codes: number[]) => void;
  /** How many `print`s still find the service after a bootout. */
  readonly drainFor: (prints: number) => void;
  /** From now on no file can be cloned. */
  readonly formatAsHfs: () => void;
  /** Whether a file shares its space with the one that it was cloned from. */
  readonly isClone: (path: string) => boolean;
  readonly codesign: (result: CommandResult) => void;
  /** Versions of the prefix that were started, in turn. */
  readonly started: () => readonly string[];
  readonly kill: () => Promise<void>;
}

/** A launchd in memory: strict about words, states and the plist, and with a real socket behind a started daemon. */
export function fakeLaunchd(socket: string, daemonOf: (program: string) => Daemon): FakeLaunchd {
  /** As macOS 13 and newer list it. */
  let written = (isDisabled: boolean): string => (isDisabled ? 'disabled' : 'enabled');
  const clones = new Set<number>();
  let loaded = false;
  let disabled: boolean | null = null;
  let isListHidden = false;
  let insistent = false;
  let draining = 0;
  let drain = 0;
  let refusals: number[] = [];
  let signature = done;
  let apfs = true;
  let servers: Server[] = [];
  const started: string[] = [];

  async function kill(): Promise<void> {
    const ending = servers;
    servers = [];
    for (const server of ending)
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
  }

  async function start(plist: string): Promise<CommandResult> {
    if ((statSync(plist).mode & 0o777) !== 0o644) return failed(5, 'Bootstrap failed: 5: Input/output error');
    const job = parse(readFileSync(plist, 'utf8')) as {
      ProgramArguments: string[];
      StandardErrorPath: string;
    };
    const [program = '', script = ''] = job.ProgramArguments;
    if (!statSync(dirname(job.StandardErrorPath)).isDirectory() || (statSync(program).mode & 0o100) === 0)
      return failed(78, 'EX_CONFIG');
    const daemon = daemonOf(readFileSync(script, 'utf8'));
    started.push(readFileSync(script, 'utf8'));
    loaded = true;
    if (!daemon) return done;
    const { version, leave, hasLooked = true } = daemon;
    let seen = hasLooked;
    const serve = (isRoot: boolean): Server =>
      createServer(({ url }, response) => {
        if (url === '/v1/leave' && !isRoot) response.statusCode = 403;
        if (url === '/v1/leave') seen = true;
        if (url === '/v1/status' && !seen) response.statusCode = 503;
        const status = { version, pid: 77, phase: 'idle' };
        response.end(JSON.stringify(url === '/v1/leave' ? leave : status));
      });
    mkdirSync(dirname(socket), { recursive: true });
    for (const [path, isRoot] of [
      [socket, false],
      [socket.replace(/\.sock$/, '-root.sock'), true],
    ] as const) {
      rmSync(path, { force: true });
      const serving = serve(isRoot);
      await new Promise<void>((resolve) => {
        serving.listen(path, resolve);
      });
      servers.push(serving);
    }
    return done;
  }

  async function launchctl(args: readonly string[]): Promise<CommandResult> {
    const [verb, target, plist] = args;
    if (verb === 'bootstrap' && args.length === 3 && target === 'system' && plist !== undefined) {
      const code = refusals.shift();
      if (code !== undefined) return failed(code, `Bootstrap failed: ${code}: Refused`);
      if (disabled === true) return failed(119, 'Bootstrap failed: 119: Service is disabled');
      if (loaded || draining > 0) return failed(5, 'Bootstrap failed: 5: Input/output error');
      return start(plist);
    }
    if (verb === 'print-disabled' && args.length === 2 && target === 'system') {
      if (isListHidden) return failed(1, 'Could not print');
      const row = disabled === null ? '' : `\t\t"io.github.tuntapd" => ${written(disabled)}\n`;
      const others = `\t\t"io.github.tuntapd.other" => ${written(true)}\n\t\t"com.docker.helper" => ${written(false)}\n`;
      return { ...done, stdout: `disabled services = {\n${others}${row}}\n` };
    }
    if (args.length !== 2 || target !== service) return failed(64, 'Unrecognized target specifier.');
    const absent = failed(113, `Could not find service "io.github.tuntapd" in domain for system`);
    switch (verb) {
      case 'print':
        if (draining > 0) draining -= 1;
        else if (!loaded) return absent;
        return { ...done, stdout: `${service} = {\n\tstate = running\n}\n` };
      case 'bootout':
        if (!loaded) return failed(3, 'Boot-out failed: 3: No such process');
        loaded = false;
        draining = drain;
        await kill();
        return drain > 0 ? failed(36, 'Boot-out failed: 36: Operation now in progress') : done;
      case 'kickstart':
        if (!loaded) return absent;
        return insistent ? failed(37, 'Operation already in progress') : done;
      case 'enable':
        disabled = false;
        return done;
      case undefined:
      default:
        return failed(64, `Unrecognized subcommand: ${String(verb)}`);
    }
  }

  return {
    run: (file, args) => {
      if (file === '/bin/launchctl') return launchctl(args);
      if (file === '/bin/ps') return run(file, args);
      if (
        file === '/usr/bin/codesign' &&
        args.length === 4 &&
        args.slice(0, 3).join(' ') === `--verify --strict -R=${nodesOwn}`
      )
        return Promise.resolve(signature);
      if (file === '/bin/cp' && args.length === 3 && args[0] === '-c') {
        const [, from = '', to = ''] = args;
        // A volume that is not APFS, half-way.
        if (!apfs) writeFileSync(to, 'half');
        else {
          copyFileSync(from, to);
          clones.add(lstatSync(to).ino);
        }
        return Promise.resolve(
          apfs ? done : failed(1, `cp: ${to}: clonefile failed: Operation not supported`),
        );
      }
      return Promise.reject(new Error(`no such command: ${file} ${args.join(' ')}`));
    },
    pause: () => new Promise((resolve) => void setImmediate(resolve)),
    isClone: (path) => clones.has(lstatSync(path).ino),
    loaded: () => loaded,
    listed: () => disabled,
    hideList: () => {
      isListHidden = true;
    },
    listBy: (no, yes) => {
      written = (isDisabled) => (isDisabled ? no : yes);
    },
    insist: () => {
      insistent = true;
    },
    disable: () => {
      disabled = true;
    },
    refuse: (...codes) => {
      refusals = codes;
    },
    drainFor: (prints) => {
      drain = prints;
    },
    codesign: (result) => {
      signature = result;
    },
    formatAsHfs: () => {
      apfs = false;
    },
    started: () => started,
    kill,
  };
}
