/** One question to one resolver's servers, as often as it takes. */
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import type { RecordType, Reply } from './cache.js';
import type { DnsResolver } from './configuration.js';
import { answerIn, question } from './wire.js';

export interface Asking {
  /** Null: nobody answered in time, or the server can't. */
  readonly reply: Promise<Reply | null>;
  /** Asks again at once. */
  readonly again: () => void;
}

/** Milliseconds to the next packet, each time three times as many (InitialQuestionInterval, mDNSEmbeddedAPI.h). */
const firstInterval = 1000;
/** Seconds that configd gives a resolver without a `timeout`. */
const usualTimeout = 30;
const usualPort = 53;

/** `127.0.0.1.5353` is read as an address with a port by configd; mDNSResponder drops the port (mDNSMacOSX.c). */
const addressOf = (server: string): string => /^\d+\.\d+\.\d+\.\d+/.exec(server)?.[0] ?? server;

/** By TCP, for what is too long for UDP; null when it does not come within so many ms. */
function askByTcp(
  host: string,
  port: number,
  asked: Buffer,
  type: RecordType,
  timeout: number,
): Promise<Reply | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    let heard = Buffer.alloc(0);
    const end = (reply: Reply | null): void => {
      socket.destroy();
      resolve(reply);
    };
    socket.setTimeout(timeout, () => {
      end(null);
    });
    socket.on('error', () => {
      end(null);
    });
    socket.on('close', () => {
      resolve(null);
    });
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length < 2 || heard.length < 2 + heard.readUInt16BE(0)) return;
      const found = answerIn(heard.subarray(2), asked, type);
      end(found?.what === 'records' ? found.reply : null);
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(asked.length, 0);
    socket.write(Buffer.concat([size, asked]));
  });
}

/** Asks by UDP, one server after the other, until one answers or the resolver's timeout is over. */
export function ask(resolver: DnsResolver, name: string, type: RecordType): Asking {
  const asked = question(Math.floor(Math.random() * 0x1_0000), name, type);
  const servers = resolver.nameservers.map(addressOf);
  const port = resolver.port ?? usualPort;
  const timeout = (resolver.timeout ?? usualTimeout) * 1000;
  const socket = createSocket('udp4');
  let next: NodeJS.Timeout | undefined;
  let sent = 0;
  const send = (): void => {
    const server = servers[sent % servers.length];
    if (server === undefined) return;
    clearTimeout(next);
    next = setTimeout(send, firstInterval * 3 ** Math.floor(sent / servers.length));
    sent += 1;
    // Nobody at that port: the next packet may find somebody.
    socket.send(asked, port, server, () => undefined);
  };
  const reply = new Promise<Reply | null>((resolve) => {
    const end = setTimeout(resolve, timeout, null);
    const settle = (found: Reply | null): void => {
      clearTimeout(end);
      resolve(found);
    };
    socket.on('error', () => undefined);
    socket.on('message', (packet, from) => {
      if (from.port !== port || !servers.includes(from.address)) return;
      const found = answerIn(packet, asked, type);
      if (found?.what === 'records') settle(found.reply);
      else if (found?.what === 'failure') settle(null);
      else if (found?.what === 'cut') void askByTcp(from.address, port, asked, type, timeout).then(settle);
    });
    send();
  }).finally(() => {
    clearTimeout(next);
    socket.close();
  });
  let isOver = false;
  void reply.then(() => {
    isOver = true;
  });
  return {
    reply,
    again: () => {
      if (isOver) return;
      sent = 0;
      send();
    },
  };
}
