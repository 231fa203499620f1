import { expect, test } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { columnsOf, painter, redraw, widthOf } from '../../../cli/terminal.js';

/** The rows that a terminal of so many columns puts these lines in. */
const rowsOf = (text: string, columns: number): number =>
  stripVTControlCharacters(text)
    .trimEnd()
    .split('\n')
    .reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / columns)), 0);

test('a redrawn screen scrolls not even by lines that are wider than it, coloured or not', () => {
  let out = '';
  const screen = { write: (text: string) => (out += text), isTTY: true, columns: 20, rows: 6 };
  redraw(screen, ['one', `\u001b[31m${'wide '.repeat(9)}\u001b[39m`, 'two', 'three', 'four']);
  expect(rowsOf(out, 20)).toBe(5);
  expect(out).toContain('two');
  expect(out).not.toContain('three');
  out = '';
  redraw(screen, ['one', `\u001b[31m${'x'.repeat(20)}\u001b[39m`, 'two', 'three', 'four', 'five']);
  expect(rowsOf(out, 20)).toBe(5);
  expect(out).toContain('four');
});

test('a terminal that does not know its size is one of 80 columns and 24 rows', () => {
  let out = '';
  const screen = { write: (text: string) => (out += text), isTTY: true, columns: 0, rows: 0 };
  expect([columnsOf(screen), widthOf(screen)]).toEqual([80, 80]);
  redraw(screen, ['first', ...'x'.repeat(40).split('')]);
  expect(rowsOf(out, 80)).toBe(23);
});

test.each([
  [{}, true],
  [{ TERM: 'xterm-256color' }, true],
  [{ TERM: 'dumb' }, false],
  [{ NO_COLOR: '1' }, false],
])('a terminal of %j has colours: %s', (env, has) => {
  const paint = painter({ env } as never, { write: () => undefined, isTTY: true });
  expect(paint('red', 'no') !== 'no').toBe(has);
});
