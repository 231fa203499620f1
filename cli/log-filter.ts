/** Which lines of the log are wanted. Pure. */
import { renderLogLine } from './log-line.js';

export const levels = ['error', 'warn', 'info', 'debug'] as const;

export type Level = (typeof levels)[number];

export interface LogFilter {
  /** Milliseconds since the epoch. */
  readonly since?: number;
  /** This one and what is worse. */
  readonly level?: Level;
  readonly pattern?: RegExp;
}

const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const isoTime = /^(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** Whether the calendar has it: ECMAScript takes February 30 for a day of March. */
function isDay(day: string): boolean {
  const at = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

/**
 * The moment that `90s`, `10m`, `1h`, `2d` ago or an ISO 8601 time means, in ms since the epoch; null: no such time. A
 * time without a zone, and a day, is of the local clock, as the log is shown.
 */
export function momentOf(text: string, now: number): number | null {
  const [, count, unit = ''] = /^(\d{1,6})(s|m|min|h|d)$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (units[unit] ?? 0);
  const [, day, time = 'T00:00'] = isoTime.exec(text) ?? [];
  if (day === undefined || !isDay(day)) return null;
  // A day alone is UTC's to ECMAScript.
  const at = Date.parse(`${day}${time.replace(' ', 'T')}`);
  return Number.isNaN(at) ? null : at;
}

function entryOf(line: string): { time?: unknown; level?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/**
 * Whether a line is wanted, asked line by line in their order: one without a time of its own (a crash’s last words) is
 * of the time of the line before, and as bad as can be.
 */
export function acceptsLine({ since, level, pattern }: LogFilter): (line: string) => boolean {
  let isInTime = since === undefined;
  const worst = level === undefined ? levels.length : levels.indexOf(level);
  return (line) => {
    const entry = entryOf(line);
    if (since !== undefined && typeof entry.time === 'string') isInTime = Date.parse(entry.time) >= since;
    const rank = levels.findIndex((known) => known === entry.level);
    return isInTime && rank <= worst && (pattern === undefined || pattern.test(renderLogLine(line)));
  };
}
