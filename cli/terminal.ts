import { stripVTControlCharacters, styleText } from 'node:util';
import { plain, unprintable } from '../daemon/lib/text.js';
import type { Io, Output } from './io.js';

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';

/** A text in a colour, or as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** Colours a text for an output: only on a terminal that has any, and only without NO_COLOR. */
export const painter =
  ({ env }: Io, output: Output): Paint =>
  (colour, text) =>
    output.isTTY === true && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === ''
      ? styleText(colour, text, { validateStream: false })
      : text;

/** What a terminal says of its size, which is 0 where it does not know. */
const known = (size: number | undefined, usual: number): number =>
  size === undefined || size < 1 ? usual : size;

/** Columns of an output, of a terminal or not. */
export const columnsOf = ({ columns }: Pick<Output, 'columns'>): number => known(columns, 80);

/** Columns of an output; Infinity where it is no terminal, since whoever reads it may look for a line. */
export const widthOf = (output: Output): number =>
  output.isTTY === true ? Math.max(20, columnsOf(output)) : Infinity;

export const printLine = (output: Output, text: string): void => {
  output.write(`${text}\n`);
};

export const clearScreen = (output: Output): void => {
  output.write('\u001b[2J');
};

/** The first lines that a screen has room for: a terminal breaks a line that is wider than it. */
function fitting(lines: readonly string[], output: Output): readonly string[] {
  const columns = columnsOf(output);
  let left = Math.max(1, known(output.rows, 24) - 1);
  return lines.filter((line) => {
    left -= Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns));
    return left >= 0;
  });
}

/** Puts lines where others stand on the screen, as many as it has room for; what was longer is wiped out. */
export const redraw = (output: Output, lines: readonly string[]): void => {
  const shown = fitting(lines, output);
  output.write(`\u001b[H${shown.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
};

const escaped = (characters: string): string =>
  Array.from(
    { length: characters.length },
    (_, index) => `\\u${characters.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');

/** JSON that says the same and hides nothing from a terminal: control and format characters as `\u…`. */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent)
    .split('\n')
    .map((line) => line.replaceAll(unprintable, escaped))
    .join('\n');

export const printJson = (io: Io, value: unknown): void => {
  printLine(io.stdout, safeJson(value, 2));
};

/** Text of several lines, each made safe for a terminal, and at most `limit` characters of it. */
export const plainLines = (text: string, limit = 2000): string =>
  text
    .split('\n')
    .map((line) => (/^\s*/.exec(line)?.[0] ?? '').replaceAll(/[^ ]/g, ' ') + plain(line, limit))
    .join('\n');

/** ISO 8601 in the time zone of whoever reads it: `2026-11-24 09:41:07`. */
export function localTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return plain(iso, 40);
  const two = (number: number): string => String(number).padStart(2, '0');
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  );
}

/** Rows with their cells aligned; the last cell of a row may be as long as it likes. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  '),
  );
}
