/**
 * Docker Desktop's API proxy, as far as it differs from a wire: a request to attach without `Upgrade: tcp` gets a
 * container's output, but delivers no input since 4.10 (docker-modem pull 148, moby 43799); a client's half-close does
 * not reach the engine (moby 38457); `/attach/ws` does not work at all (docker/for-mac 7780).
 */
import type { Socket } from 'node:net';

const endOfHead = '\r\n\r\n';
const maxHead = 64 * 1024;

/** Passes everything on between a client and the engine. Both are to be half-open and paused. */
export function passOn(client: Socket, engine: Socket): void {
  for (const [from, to] of [
    [client, engine],
    [engine, client],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
  engine.pipe(client);

  let head = Buffer.alloc(0);
  const onHead = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf(endOfHead);
    if (end < 0) {
      if (head.length > maxHead) client.destroy();
      return;
    }
    client.off('data', onHead);
    client.pause();
    const text = head.subarray(0, end).toString('latin1');
    if (/^\S+ \S*\/attach\/ws[ ?]/.test(text)) {
      client.end('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      engine.destroy();
      return;
    }
    if (!/^POST \S*\/attach[ ?]/.test(text)) {
      engine.write(head);
      client.pipe(engine);
    } else if (/^upgrade: *tcp *$/im.test(text)) {
      engine.write(head);
      client.pipe(engine, { end: false });
    } else {
      engine.write(head.subarray(0, end + endOfHead.length));
      client.resume();
    }
  };
  client.on('data', onHead);
  client.resume();
  client.on('end', () => {
    // Somebody who knocks and says nothing.
    if (head.length === 0) engine.end();
  });
}
