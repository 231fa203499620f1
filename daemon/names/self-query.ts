/** Whether the zone's server answers on this Mac, by asking it as anybody would. */
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import { encode } from 'dns-packet';

const host = '127.0.0.1';
const timeout = 2000;

/** Bytes of an answer that says who has the zone; the same id, an answer, authoritative, no error. */
const isAnswer = (bytes: Buffer, id: number): boolean =>
  bytes.length >= 12 && bytes.readUInt16BE(0) === id && (bytes.readUInt16BE(2) & 0x840f) === 0x8400;

const queryFor = (zone: string, id: number): Buffer =>
  encode({ type: 'query', id, questions: [{ name: zone, type: 'SOA', class: 'IN' }] });

/** Runs `ask` until it settles or `timeout` ms have passed. */
async function inTime(what: string, ask: (settle: (error?: Error) => void) => () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let end = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer over ${what} within ${timeout / 1000} s`));
      }, timeout);
      end = ask((error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  } finally {
    clearTimeout(timer);
    end();
  }
}

/** Resolves when whoever is at this port answers for the zone over UDP and over TCP, each within 2 s; else rejects. */
export async function selfQuery(zone: string, port: number): Promise<void> {
  const id = Math.floor(Math.random() * 0x1_0000);
  const query = queryFor(zone, id);
  await inTime('UDP', (settle) => {
    const socket = createSocket('udp4');
    socket.on('error', settle);
    socket.on('message', (bytes, from) => {
      if (from.port === port && from.address === host && isAnswer(bytes, id)) settle();
    });
    socket.send(query, port, host, (error) => {
      if (error) settle(error);
    });
    return () => socket.close();
  });
  await inTime('TCP', (settle) => {
    const socket = createConnection({ host, port });
    let heard = Buffer.alloc(0);
    socket.on('error', settle);
    socket.on('close', () => {
      settle(new Error('the connection was closed without an answer'));
    });
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]).subarray(0, 600);
      if (heard.length >= 14)
        settle(isAnswer(heard.subarray(2), id) ? undefined : new Error('a wrong answer'));
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(query.length, 0);
    socket.write(Buffer.concat([size, query]));
    return () => socket.destroy();
  });
}
