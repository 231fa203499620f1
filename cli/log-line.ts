import * as z from 'zod';
import { plain } from '../daemon/lib/text.js';
import { localTime, safeJson } from './terminal.js';

const lineSchema = z.object({
  time: z.string(),
  level: z.string(),
  message: z.string(),
  pass: z.union([z.string(), z.number()]).optional(),
});

/** A line of the log for people: `time level message (pass …)`; what is no such line, as it is. */
export function renderLogLine(text: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return plain(text, 4000);
  }
  const line = lineSchema.safeParse(parsed);
  if (!line.success) return plain(text, 4000);
  const { time, level, message, pass } = line.data;
  const suffix = pass === undefined ? '' : ` (pass ${plain(String(pass), 40)})`;
  return `${localTime(time)} ${plain(level, 10).padEnd(5)} ${plain(message, 4000)}${suffix}`;
}

/** When a line of the log was written, in ms since the epoch; null of one that does not tell. */
export function timeOf(text: string): number | null {
  try {
    const line = z.object({ time: z.string() }).safeParse(JSON.parse(text));
    const at = line.success ? Date.parse(line.data.time) : Number.NaN;
    return Number.isNaN(at) ? null : at;
  } catch {
    return null;
  }
}

/** A line of the log for programs: one JSON object, also for what is none in the file (a crash’s last words). */
export function jsonLogLine(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (z.object({ message: z.string() }).safeParse(value).success) return safeJson(value);
  } catch {
    // told below
  }
  return safeJson({ message: text });
}
