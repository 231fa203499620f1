import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { cleanEnvironment } from '../lib/command.js';

type Child = ChildProcessByStdio<Writable, Readable, null>;

export interface Lister {
  /** What the child answers, which is untrusted. Rejects when it fails, or takes longer than its deadline. */
  readonly ask: () => Promise<string>;
  /** Ends the child; the next question starts another one. */
  readonly stop: () => void;
}

/**
 * Asks the child program at `program` for lists, each within `deadline` ms and of `maxAnswer` bytes at the most. The
 * child stays: its start takes longer than a list, while it costs 8 MB beyond what it shares with this process. One that
 * fails is killed, and another one is started only once it is gone: on a dead share no signal ends it.
 */
export function createLister(program: string, deadline: number, maxAnswer: number): Lister {
  let child: Child | null = null;
  let dying: Child | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  function start(): Child {
    if (dying !== null) throw new Error('an earlier ps-list has not ended yet');
    const started = spawn(process.execPath, [program], {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const gone = (): void => {
      if (child === started) child = null;
      if (dying === started) dying = null;
    };
    // First of all: one that could not be started for want of descriptors has no streams either.
    started.once('error', gone).once('exit', gone);
    started.stdin.on('error', () => undefined);
    started.stdout.setEncoding('utf8').on('error', () => undefined);
    return started;
  }

  function abandon(asked: Child): void {
    if (child === asked) {
      child = null;
      dying = asked;
    }
    asked.kill('SIGKILL');
    asked.stdin.destroy();
    asked.stdout.destroy();
    asked.unref();
  }

  async function ask(): Promise<string> {
    const asked = (child ??= start());
    return new Promise((resolve, reject) => {
      let said = '';
      const done = (): void => {
        clearTimeout(timer);
        asked.stdout.off('data', hear);
        asked.off('close', end).off('error', end);
      };
      const fail = (why: string): void => {
        done();
        abandon(asked);
        reject(new Error(`ps-list ${why}`));
      };
      const hear = (text: string): void => {
        said += text;
        if (said.length > maxAnswer) fail(`said more than ${maxAnswer} bytes`);
        else if (said.endsWith('\n')) {
          done();
          resolve(said);
        }
      };
      const end = (): void => {
        fail('ended');
      };
      const timer = setTimeout(fail, deadline, `took longer than ${deadline / 1000} s`);
      asked.stdout.on('data', hear);
      asked.once('close', end).once('error', end);
      asked.stdin.write('\n');
    });
  }

  return {
    ask: () => {
      const answer = turn.then(ask);
      turn = answer.catch(() => undefined);
      return answer;
    },
    stop: () => {
      if (child) abandon(child);
    },
  };
}
