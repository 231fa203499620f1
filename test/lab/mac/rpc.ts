/**
 * How programs inside the lab talk to its machine: JSON lines over a unix socket. One request a connection; the
 * connection's life is meaningful (whoever opened a tap device holds it for as long as its connection lives, as a
 * file descriptor would).
 */
import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const machineSocket = '/.lab/run/mac.sock';

/** An operation's answer, or an error with an errno-like name (`EBUSY`, `ESRCH`, …) that the caller shows its own way. */
export class MachineError extends Error {
  readonly code: string;
  constructor(code: string, message = code) {
    super(message);
    this.name = 'MachineError';
    this.code = code;
  }
}

export interface Caller {
  /** Aborted when the caller's connection closes. */
  readonly gone: AbortSignal;
  /** Sends one more line (a stream of events, say). */
  readonly send: (line: unknown) => void;
}

export type Handler = (payload: never, caller: Caller) => unknown;
export type Handlers = Readonly<Record<string, Handler>>;

type Answer = { ok: true; value: unknown } | { ok: false; code: string; message: string };

async function answer(handlers: Handlers, line: string, caller: Caller): Promise<Answer> {
  try {
    const { op, payload } = JSON.parse(line) as { op: string; payload: unknown };
    const handler = handlers[op];
    if (!handler) throw new MachineError('ENOSYS', `the lab has no operation ${op}`);
    return { ok: true, value: await handler(payload as never, caller) };
  } catch (error) {
    const code = error instanceof MachineError ? error.code : 'EIO';
    return { ok: false, code, message: error instanceof Error ? error.message : String(error) };
  }
}

/** Serves the handlers at `path`, for everybody on the lab Mac. */
export function serve(handlers: Handlers, path: string = machineSocket): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket: Socket) => {
    const gone = new AbortController();
    const send = (line: unknown): void => void socket.write(`${JSON.stringify(line)}\n`);
    socket.on('close', () => {
      gone.abort();
    });
    socket.on('error', () => {
      gone.abort();
    });
    createInterface({ input: socket }).once('line', (line) => {
      void answer(handlers, line, { gone: gone.signal, send }).then(send);
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o666);
      resolve(server);
    });
  });
}

export interface Held<T> {
  readonly value: T;
  /** Further lines that the machine sends, until either side closes. */
  readonly onLine: (listener: (line: unknown) => void) => void;
  readonly onEnd: (listener: () => void) => void;
  readonly close: () => void;
}

/** Calls an operation and keeps the connection, hence whatever it stands for, until `close` or the process's end. */
export function hold<T>(op: string, payload: unknown = {}, path: string = machineSocket): Promise<Held<T>> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    const lines = createInterface({ input: socket });
    socket.once('error', reject);
    socket.once('connect', () => void socket.write(`${JSON.stringify({ op, payload })}\n`));
    const ended = (): void => {
      reject(new MachineError('EPIPE', 'the machine hung up'));
    };
    socket.once('close', ended);
    lines.once('line', (line) => {
      socket.off('close', ended);
      const reply = JSON.parse(line) as Answer;
      if (!reply.ok) {
        socket.destroy();
        reject(new MachineError(reply.code, reply.message));
        return;
      }
      resolve({
        value: reply.value as T,
        onLine: (listener) =>
          void lines.on('line', (more) => {
            listener(JSON.parse(more));
          }),
        onEnd: (listener) => void socket.on('close', listener),
        close: () => {
          socket.destroy();
        },
      });
    });
  });
}

/** Calls an operation and returns its answer; throws MachineError. */
export async function call<T>(op: string, payload: unknown = {}, path: string = machineSocket): Promise<T> {
  const held = await hold<T>(op, payload, path);
  held.close();
  return held.value;
}
