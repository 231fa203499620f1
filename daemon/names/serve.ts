/** The sockets of the zone's server, and what comes and goes through them. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket as Connection } from 'node:net';
import { messageOf } from '../lib/text.js';
import { answerTo, type Asked, maxQuery } from './answer.js';
import type { NamesTable } from './table.js';

const host = '127.0.0.1';
/** Connections at a time, how long each may last or be silent in ms, and how much it may ask. */
const maxConnections = 16;
const maxLife = 10_000;
const maxSilence = 3000;
const maxQueries = 100;

export interface Sockets {
  readonly port: number;
  readonly udp: Socket;
  readonly tcp: Server;
}

async function bindOne(port: number): Promise<Sockets> {
  // macOS: without it an earlier socket of anybody's on the wildcard keeps root from the port (xnu, in_pcbbind).
  const udp = createSocket({ type: 'udp4', reuseAddr: true });
  const tcp = createServer();
  try {
    udp.bind({ address: host, port, exclusive: true });
    await once(udp, 'listening');
    tcp.listen({ host, port, backlog: maxConnections, exclusive: true });
    await once(tcp, 'listening');
    return { port, udp, tcp };
  } catch (error) {
    udp.close();
    tcp.close();
    throw error;
  }
}

/** Binds the first of these ports that is free for UDP and TCP, on this Mac's loopback alone. Rejects when none is. */
export async function bind(ports: readonly number[]): Promise<Sockets> {
  const problems: string[] = [];
  for (const port of ports)
    try {
      return await bindOne(port);
    } catch (error) {
      problems.push(messageOf(error));
    }
  throw new Error(problems.join('; '));
}

interface Served {
  /** What to answer from; null: nothing yet. */
  readonly table: () => NamesTable | null;
  readonly onAsked: (asked: Asked, table: NamesTable) => void;
}

function reply(packet: Buffer, transport: 'udp' | 'tcp', { table, onAsked }: Served): Buffer | null {
  const names = table();
  if (!names) return null;
  const { bytes, asked } = answerTo(packet, names, transport);
  if (asked) onAsked(asked, names);
  return bytes;
}

const isLoopback = (address: string | undefined): boolean => address?.startsWith('127.') === true;

/** One connection: queries with their length before them (RFC 1035, 4.2.2), answered in turn. */
function converse(connection: Connection, served: Served): void {
  const end = (): void => {
    connection.destroy();
  };
  connection.on('error', end);
  if (!isLoopback(connection.remoteAddress)) {
    end();
    return;
  }
  const life = setTimeout(end, maxLife);
  connection.once('close', () => {
    clearTimeout(life);
  });
  connection.setTimeout(maxSilence, end);
  let heard = Buffer.alloc(0);
  let queries = 0;
  connection.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    while (heard.length >= 2) {
      const length = heard.readUInt16BE(0);
      queries += 1;
      if (length > maxQuery || queries > maxQueries) {
        end();
        return;
      }
      if (heard.length < 2 + length) {
        queries -= 1;
        return;
      }
      const answer = reply(heard.subarray(2, 2 + length), 'tcp', served);
      heard = heard.subarray(2 + length);
      // A client that does not read its answers gets no more of them; one that is to hear nothing need not wait.
      if (!answer || connection.writableLength > 0x1_0000) {
        end();
        return;
      }
      const size = Buffer.alloc(2);
      size.writeUInt16BE(answer.length, 0);
      connection.write(Buffer.concat([size, answer]));
    }
  });
}

/** Answers whatever comes through these sockets from this Mac itself. */
export function serve({ udp, tcp }: Sockets, served: Served): void {
  udp.on('message', (packet, { address, port }) => {
    if (!isLoopback(address)) return;
    const answer = reply(packet, 'udp', served);
    if (answer) udp.send(answer, port, address, () => undefined);
  });
  udp.on('error', () => undefined);
  tcp.on('error', () => undefined);
  // Who holds connections for nothing keeps nobody else from an answer: the oldest goes.
  const open = new Set<Connection>();
  tcp.on('connection', (connection: Connection) => {
    const [oldest] = open;
    if (open.size >= maxConnections) oldest?.destroy();
    open.add(connection);
    connection.once('close', () => open.delete(connection));
    converse(connection, served);
  });
}
