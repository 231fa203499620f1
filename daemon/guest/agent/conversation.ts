import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, plain } from '../../lib/text.js';
import { type Frame, frameReader, requests } from './frames.js';

/** Why the agent could not do what it was asked for. */
export class AgentError extends Error {
  /** The kernel's name for it, e.g. `ENOENT`; `E?` when node knows none. */
  readonly code: string;
  /** What failed, in the agent's word, e.g. `exec`. */
  readonly what: string;
  constructor(code: string, what: string) {
    super(`${what}: ${code}`);
    this.name = 'AgentError';
    this.code = code;
    this.what = what;
  }
}

/** How a command ended, and what it said. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  /** Its exit status; null when a signal ended it. */
  readonly exitCode: number | null;
}

/** What lies at a path below /proc or /sys. */
export type Found =
  | { readonly kind: 'file'; readonly bytes: Buffer }
  | { readonly kind: 'folder'; readonly names: readonly string[] }
  | { readonly kind: 'link'; readonly target: string };

/** One conversation with the agent. Every call rejects with AgentError, or with why the conversation is over. */
export interface Conversation {
  /** Sends a netlink message that asks for an acknowledgement or a dump; resolves to the datagrams that answer it. */
  readonly netlink: (protocol: number, message: Buffer) => Promise<readonly Buffer[]>;
  readonly run: (
    pid: number,
    argv: readonly string[],
    how: { readonly environment: readonly string[]; readonly timeout: number },
  ) => Promise<Ran>;
  readonly read: (path: string) => Promise<Found>;
  readonly announce: (interfaceIndex: number, packet: Buffer) => Promise<void>;
  /**
   * Tells it to end; resolves when the agent has heard it, when the stream ends, or after 5 s, and never rejects: by then all
   * that was asked is answered, and an engine may drop what a container says last, or leave its streams open. A half-close
   * would not do: proxies swallow it (moby 38457).
   */
  readonly quit: () => Promise<void>;
}

interface Answer {
  readonly frames: readonly Frame[];
  readonly status: number;
}

interface Pending {
  readonly frames: Frame[];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** What a frame counts, in bytes: an empty one costs memory, too, so an answer may have only so many. */
const frameSize = ({ body }: Frame): number => 64 + body.length;

/** What one answer may hold, in bytes: the agent's own bound (agent.c, MAX_ANSWER), its last part, and what frames count by themselves. */
const maxAnswer = 4 * 1024 * 1024 + 256 * 1024;

/** Milliseconds in which the agent hears that it may go. */
const quitTimeout = 5000;

const namesOfErrors = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

const bodyOf = ({ frames }: Answer, letter: string): Buffer =>
  Buffer.concat(frames.filter((frame) => frame.letter === letter).map(({ body }) => body));

/**
 * Speaks with the agent over its stdin and stdout (`stream`, without the engine's multiplexing). Requests may be sent
 * side by side: the agent answers them in their order. At the end of the stream, at its error and when `signal` fires,
 * everything that is still asked for rejects, and the stream is destroyed.
 */
export function converse(stream: Duplex, { signal }: { readonly signal: AbortSignal }): Conversation {
  const pending: Pending[] = [];
  const read = frameReader();
  let size = 0;
  let over: Error | null = null;

  function finish(why: Error): void {
    if (over) return;
    over = why;
    signal.removeEventListener('abort', onAbort);
    stream.destroy();
    for (const { reject } of pending.splice(0)) reject(why);
  }
  const onAbort = (): void => {
    finish(new Error(`the agent was given up: ${messageOf(signal.reason)}`));
  };

  function take(frame: Frame): void {
    const [first] = pending;
    if (!first) throw new Error('the agent answered what nobody asked');
    size += frameSize(frame);
    if (size > maxAnswer) throw new Error(`the agent’s answer is larger than ${maxAnswer} bytes`);
    if (frame.letter !== '.' && frame.letter !== '!') {
      first.frames.push(frame);
      return;
    }
    if (frame.body.length < 4) throw new Error('the agent’s last frame has no number');
    pending.shift();
    size = 0;
    const number = frame.body.readUInt32LE(0);
    if (frame.letter === '.') first.resolve({ frames: first.frames, status: number });
    else
      first.reject(
        new AgentError(namesOfErrors.get(number) ?? 'E?', plain(frame.body.toString('latin1', 4), 60)),
      );
  }

  stream.on('data', (bytes: Buffer) => {
    try {
      for (const frame of read(bytes)) take(frame);
    } catch (error) {
      finish(error as Error);
    }
  });
  stream.on('error', (error) => {
    finish(new Error(`the way to the agent broke: ${error.message}`, { cause: error }));
  });
  stream.on('close', () => {
    finish(new Error('the agent hung up'));
  });
  stream.on('end', () => {
    finish(new Error('the agent ended'));
  });
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();

  const ask = (request: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (over) {
        reject(over);
        return;
      }
      pending.push({ frames: [], resolve, reject });
      stream.write(request);
    });

  return {
    netlink: async (protocol, message) => {
      const { frames } = await ask(requests.netlink(protocol, message));
      return frames.map(({ body }) => body);
    },
    run: async (pid, argv, { environment, timeout }) => {
      const answer = await ask(requests.run(pid, timeout, argv, environment));
      // wait(2): the low seven bits are the signal, 0 when it ended by itself.
      const { status } = answer;
      return {
        stdout: bodyOf(answer, 'O').toString(),
        stderr: bodyOf(answer, 'E').toString(),
        exitCode: (status & 0x7f) === 0 ? (status >> 8) & 0xff : null,
      };
    },
    read: async (path) => {
      const answer = await ask(requests.read(path));
      const bytes = bodyOf(answer, 'D');
      switch (answer.status) {
        case 1:
          return { kind: 'file', bytes };
        case 2:
          return {
            kind: 'folder',
            names: bytes
              .toString()
              .split('\0')
              .filter((name) => !/^\.{0,2}$/.test(name)),
          };
        case 3:
          return { kind: 'link', target: bytes.toString() };
        default:
          throw new Error(`the agent found something of kind ${answer.status} at ${path}`);
      }
    },
    announce: async (interfaceIndex, packet) => {
      await ask(requests.announce(interfaceIndex, packet));
    },
    quit: async () => {
      const heard = ask(requests.quit()).catch(() => undefined);
      await Promise.race([heard, pause(quitTimeout, undefined, { ref: false })]);
    },
  };
}
