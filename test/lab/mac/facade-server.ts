/**
 * Answers the macOS commands that launcher.pl stands for, here where the machine's state is. The caller sends messages
 * of a length (32 bits, big-endian) and so many bytes: first the command's name, uid, COLUMNS and arguments with a NUL
 * between each, then, when asked for it, its stdin. It is sent one of the letters below, a length and so many bytes.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Facade, Finished, type Outcome } from '../facades/lib/served.js';
import { type Handlers, MachineError } from './rpc.js';

const facadeSocket = '/.lab/run/facades.sock';

/** Print to stdout, print to stderr, send stdin, exit with the status in the text. */
type Letter = 'o' | 'e' | 'i' | 'x';

function say(socket: Socket, letter: Letter, text = ''): void {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(5, letter);
  head.writeUInt32BE(bytes.length, 1);
  socket.write(Buffer.concat([head, bytes]));
}

/** Calls back for every whole message. */
function listen(socket: Socket, onMessage: (message: string) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0);
      onMessage(rest.toString('utf8', 4, end));
      rest = rest.subarray(end);
    }
  });
}

const failure = (error: unknown): Outcome =>
  error instanceof Finished
    ? error.outcome
    : { status: 70, err: `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n` };

/** Serves the facades, by their names, to everybody on the lab Mac. */
export function serveFacades(
  facades: Readonly<Record<string, Facade>>,
  handlers: Handlers,
  path = facadeSocket,
): Promise<Server> {
  const server = createServer((socket) => {
    const gone = new AbortController();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      gone.abort();
    });
    let onStdin: (text: string) => void = () => undefined;

    async function answer(
      name: string,
      uid: number,
      columns: string,
      args: readonly string[],
    ): Promise<Outcome> {
      const facade = facades[name];
      if (!facade) throw new Error(`the lab has no ${name}`);
      return facade({
        args,
        uid,
        columns,
        call: async <T>(
          op: string,
          payload: unknown = {},
          send: (line: unknown) => void = () => undefined,
        ) => {
          const handler = handlers[op];
          if (!handler) throw new MachineError('ENOSYS', `the lab has no operation ${op}`);
          return (await handler(payload as never, { gone: gone.signal, send })) as T;
        },
        stdin: () =>
          new Promise((resolve) => {
            onStdin = resolve;
            say(socket, 'i');
          }),
        print: (text) => {
          say(socket, 'o', text);
        },
        gone: gone.signal,
      });
    }

    let called = false;
    listen(socket, (message) => {
      if (called) {
        onStdin(message);
        return;
      }
      called = true;
      const [name = '', uid, columns = '', ...args] = message.split('\0');
      void answer(name, Number(uid), columns, args)
        .catch(failure)
        .then(({ status, out, err }) => {
          if (out) say(socket, 'o', out);
          if (err) say(socket, 'e', err);
          say(socket, 'x', String(status));
          socket.end();
        });
    });
  });
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o666);
      resolve(server);
    });
  });
}
