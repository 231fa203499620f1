import { createConnection } from 'node:net';

/** The discard service: nobody’s log shows that it was asked (docs/decisions/0011). */
const discard = 9;
/** Milliseconds; a VM whose processors are busy answers late. */
const defaultTimeout = 3000;

/**
 * Whether a kernel answers TCP on `address` when asked from `from`: a connection and a refusal both prove the way there
 * and back. Asked from the link's own address, so that an answer by another way (a VPN, the LAN) is none. `said`:
 * how it ended, for people.
 */
export function answersTcp(
  address: string,
  from: string,
  { port = discard, timeout = defaultTimeout }: { port?: number; timeout?: number } = {},
): Promise<{ readonly alive: boolean; readonly said: string }> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port, localAddress: from });
    const end = (alive: boolean, said: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ alive, said });
    };
    const timer = setTimeout(() => {
      end(false, 'no answer');
    }, timeout);
    socket.once('connect', () => {
      end(true, 'connected');
    });
    socket.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => {
      end(code === 'ECONNREFUSED' || code === 'ECONNRESET', code);
    });
  });
}
