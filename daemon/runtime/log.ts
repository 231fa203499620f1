import { writeSync } from 'node:fs';
import { join } from 'node:path';
import winston from 'winston';
import type { Config } from '../../config/schema.js';
import { openLogFile } from './log-file.js';
import { messageOf } from '../lib/text.js';

export interface LogOptions {
  /** e.g. `/var/log/tuntapd`; the file in it is `tuntapd.log`. */
  readonly folder: string;
  readonly level: Config['log']['level'];
  readonly maxSize: number;
  readonly maxFiles: number;
  /** Group that may read; `admin` (80) on a Mac. */
  readonly gid: number;
  /** Where it is said that the log itself cannot be written; stderr, which launchd keeps. */
  readonly complain?: (message: string) => void;
}

export type Log = winston.Logger & {
  /** Ends the log: resolves when every line is written, after 1 s at the latest. Later lines are dropped. */
  readonly flush: () => Promise<void>;
};

/** The longest time that the daemon's end may wait for its log, in ms. */
const flushTimeout = 1000;

const toStderr = (message: string): void => {
  try {
    writeSync(2, `tuntapd: ${message}\n`);
  } catch {
    // There is nobody left to tell.
  }
};

/** Errors have no enumerable properties: JSON would show `{}`. */
const readable = (value: unknown): unknown =>
  value instanceof Error ? { message: value.message, stack: value.stack } : value;

/** `{time, level, message, …details}`, in this order. */
const line = winston.format((info) => {
  const { level, message, ...details } = info;
  const ordered = {
    time: new Date().toISOString(),
    level,
    message: messageOf(message),
    ...Object.fromEntries(Object.entries(details).map(([key, value]) => [key, readable(value)])),
  };
  for (const key of Object.keys(info)) Reflect.deleteProperty(info, key);
  return Object.assign(info, ordered);
});

/**
 * The daemon's log: one JSON object a line in `folder/tuntapd.log`, rotated to `tuntapd.log.1` and so on. Nothing it
 * does can throw or end the daemon.
 */
export function openLog(options: LogOptions): Log {
  const stream = openLogFile({
    path: join(options.folder, 'tuntapd.log'),
    maxSize: options.maxSize,
    maxFiles: options.maxFiles,
    gid: options.gid,
    complain: options.complain ?? toStderr,
  });
  const logger = winston.createLogger({
    level: options.level,
    format: winston.format.combine(line(), winston.format.json({ deterministic: false })),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston declares its transports as interfaces
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
    exitOnError: false,
  });
  let ended: Promise<void> | null = null;
  logger.on('error', (error: unknown) => {
    // A line after the end is an error of the stream; it has nowhere to go.
    if (ended === null) (options.complain ?? toStderr)(messageOf(error));
  });
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, flushTimeout);
      logger.once('finish', () => {
        stream.end(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      logger.end();
    });
  return Object.assign(logger, { flush: () => (ended ??= end()) });
}
