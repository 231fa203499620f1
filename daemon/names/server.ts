import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NamesServing } from '../core/names/observation.js';
import { cleanEnvironment } from '../lib/command.js';
import { tellLatest } from '../lib/latest.js';
import { messageOf, plain } from '../lib/text.js';
import { selfQuery } from './self-query.js';
import { linesFor, type NamesData } from './table.js';

/**
 * Where it may be: below 1024, so that on 127.0.0.1 nobody but root can take its place; below 600, where macOS begins to
 * give ports to others (bindresvport); and given to nobody by IANA.
 */
const ports = [299, 298, 297, 296, 295, 294, 293, 292];

/** `nobody` of every Mac: nothing belongs to it. */
const nobody = 4_294_967_294;

/**
 * Node's options for the server. V8 holds the loop while it collects: 2 MB of what is new take it a few ms, the 16 MB it
 * would have some twenty.
 */
export const serverOptions = ['--max-semi-space-size=2'];

/** Milliseconds after which a child that ended is started again: at first, and at the most; and a life that went well. */
const firstPause = 1000;
const maxPause = 300_000;
const goodLife = 60_000;
/** A question can get lost, and a Mac be busy: a child that is ended is back later than it would have answered. */
const maxAsked = 3;
/** Milliseconds between two times that it is asked the same. */
const askedAgainAfter = 1000;
/** Milliseconds in which a child says that it answers, or why it cannot. */
const startTimeout = 60_000;
/** Milliseconds between two times that it is asked whether it answers. */
const checkedEvery = 60_000;

export interface NamesServer {
  /** Answers from these names from now on; null ends the server. */
  readonly follow: (data: NamesData | null) => void;
  readonly state: () => NamesServing;
  /** Without a pause: whether the child answers, or another one where it has ended. */
  readonly lookAnew: () => void;
  readonly stop: () => void;
}

/**
 * Keeps a server for the zone: a child by the program at `worker`, started again whenever it ends or no longer answers.
 * `onChange`: its state is another one; `onStale`: what it told is no longer true, however often it says so, or may not be,
 * since nobody knows what the child before it told.
 */
export function keepNamesServer(parts: {
  worker: string;
  onChange: () => void;
  onStale: () => void;
  log: (message: string) => void;
  tryPorts?: readonly number[];
}): NamesServer {
  const { worker, onChange, onStale, log, tryPorts = ports } = parts;
  let child: ChildProcess | null = null;
  let data: NamesData | null = null;
  let sent = '';
  let state: NamesServing = { state: 'off' };
  let pause = firstPause;
  let restart: NodeJS.Timeout | undefined;
  let check: NodeJS.Timeout | undefined;

  const become = (next: NamesServing): void => {
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    onChange();
  };

  /** Hands the child the latest names. */
  let tell = (): void => undefined;
  /** Null: it has them. */
  const unsent = (): string | null => {
    const text = data && Array.from(linesFor(data), (line) => `${line}\n`).join('');
    if (text === null || text === sent) return null;
    sent = text;
    return text;
  };

  /** Whether it answers is found out once it says so, and then once a minute. */
  async function verify(asked: ChildProcess, port: number): Promise<void> {
    try {
      for (let times = 1; child === asked; times += 1)
        try {
          await selfQuery(data?.zone ?? '', port);
          break;
        } catch (error) {
          if (times === maxAsked) throw error;
          await sleep(askedAgainAfter, undefined, { ref: false });
        }
      if (child !== asked) return;
      if (state.state !== 'serving') onStale();
      become({ state: 'serving', port });
      clearTimeout(check);
      check = setTimeout(() => void verify(asked, port), checkedEvery);
    } catch (error) {
      if (child !== asked) return;
      log(`the names' server: ${messageOf(error)}`);
      giveUp(asked, `it does not answer on 127.0.0.1, port ${port}: ${messageOf(error)}`);
    }
  }

  const fail = (why: string): void => {
    become({ state: 'failed', why: plain(why, 500) });
  };
  const giveUp = (useless: ChildProcess, why: string): void => {
    fail(why);
    useless.kill('SIGKILL');
  };

  function hear(from: ChildProcess, line: string): void {
    if (child !== from) return;
    const [, port] = /^port (\d{1,5})$/.exec(line) ?? [];
    if (port !== undefined) {
      clearTimeout(check);
      void verify(from, Number(port));
    } else if (line === 'stale') onStale();
    else if (line.startsWith('failed '))
      giveUp(from, `no port of ${tryPorts.join(', ')} can be had on 127.0.0.1 (${line.slice(7)})`);
  }

  function start(): void {
    const began = performance.now();
    if (state.state === 'off') become({ state: 'starting' });
    const started = spawn(process.execPath, [...serverOptions, worker], {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child = started;
    sent = '';
    check = setTimeout(() => {
      const why = `it has not begun within ${startTimeout / 1000} s`;
      log(`the names' server: ${why}`);
      giveUp(started, why);
    }, startTimeout);
    const { stdin, stdout } = started;
    const ended = (): void => {
      if (child !== started) return;
      child = null;
      clearTimeout(check);
      stdin.destroy();
      stdout.destroy();
      if (state.state !== 'failed') fail('it ended');
      if (performance.now() - began > goodLife) pause = firstPause;
      restart = setTimeout(start, pause);
      pause = Math.min(maxPause, pause * 2);
    };
    started.once('error', ended).once('exit', ended);
    for (const part of [stdin, stdout]) part.on('error', () => undefined);
    let bytes = 0;
    // A line is a few words: one that never ends would be kept.
    stdout.on('data', (chunk: Buffer) => {
      bytes = chunk.includes(10) ? 0 : bytes + chunk.length;
      if (bytes > 4096) started.kill('SIGKILL');
    });
    createInterface({ input: stdout }).on('line', (line) => {
      hear(started, line);
    });
    tell = tellLatest(stdin, unsent);
    stdin.write(`${JSON.stringify({ uid: nobody, gid: nobody, ports: tryPorts })}\n`, tell);
  }

  function end(): void {
    const ending = child;
    child = null;
    clearTimeout(restart);
    clearTimeout(check);
    restart = undefined;
    pause = firstPause;
    ending?.kill('SIGKILL');
    ending?.unref();
  }

  return {
    follow: (next) => {
      data = next;
      if (!next) {
        end();
        become({ state: 'off' });
      } else if (child) tell();
      else if (state.state === 'off') start();
    },
    state: () => state,
    lookAnew: () => {
      pause = firstPause;
      if (child && state.state === 'serving') void verify(child, state.port);
      if (child || !data) return;
      clearTimeout(restart);
      start();
    },
    stop: () => {
      data = null;
      end();
    },
  };
}
