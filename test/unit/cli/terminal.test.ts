import { expect, test } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { redraw } from '../../../cli/terminal.js';

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
