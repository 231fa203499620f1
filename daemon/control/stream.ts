import type { ServerResponse } from 'node:http';
import type { Status } from '../api/messages.js';

/** Calls back with each status from now on; returns what ends that. */
export type Follow = (listener: (status: Status) => void) => () => void;

export interface Feed {
  readonly tell: (status: Status) => void;
  readonly follow: Follow;
}

/** Whoever follows is told of each status. */
export function createFeed(): Feed {
  const listeners = new Set<(status: Status) => void>();
  return {
    tell: (status) => {
      for (const listener of listeners) listener(status);
    },
    follow: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/**
 * Sends a line of JSON for each status that is not the one before, beginning with `current`, until the asker goes. Of
 * what comes faster than it is read only the newest is kept.
 */
export function streamStatuses(response: ServerResponse, current: Status | null, follow: Follow): void {
  let last = '';
  let isBehind = false;
  const send = (status: Status): void => {
    const line = `${JSON.stringify(status)}\n`;
    if (line === last) return;
    last = line;
    isBehind = response.writableNeedDrain;
    if (!isBehind) response.write(line);
  };
  response.on('drain', () => {
    if (!isBehind) return;
    isBehind = false;
    response.write(last);
  });
  response.once('close', follow(send));
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  if (current) send(current);
}
