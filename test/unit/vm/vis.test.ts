import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unvis } from '../../../daemon/vm/vis.js';
import { vis } from '../../lab/facades/lib/vis.js';

test.each([
  ['/Users/josM-CM-)/Docker.app', '/Users/josé/Docker.app'],
  ['/Volumes/DonnM-CM-)es/M-CM-^@M-CM-\\240', '/Volumes/Données/M-CM-^@M-CM-\\240'],
  ['/Volumes/DonnM-CM-)es/M-CM^@M-C\\240', '/Volumes/Données/Àà'],
  ['M-fM^WM-%M-fM^\\M-,M-p\\237', '日本M-p\\237'],
  ['josM-C', 'josM-C'],
  ['a\\012b\\011c', 'a\\012b\\011c'],
  ['M-@M-!', 'M-@M-!'],
])('%j is %j', (printed, text) => {
  expect(unvis(printed)).toBe(text);
});

test('é, à, tab and newline as macOS’s ps prints them', () => {
  expect(vis('jos\u00e9 \u00e0\t\n\u0001\\')).toBe('josM-CM-) M-C\\240\\011\\012^A\\');
});

test('what ps prints of a text is that text again', () => {
  const plain = fc.string({ unit: 'grapheme' });
  const marks = fc.constantFrom(
    'M',
    'M-',
    'M-C',
    'M^',
    '-',
    '^',
    '\\240',
    '\\',
    ')',
    'é',
    'à',
    '日',
    '🐳',
    '\u0080',
  );
  const text = fc.oneof(
    plain,
    fc.array(marks).map((list) => list.join('')),
  );
  // The start of a mark that the text has of its own goes on in what is printed for the character after it.
  const isOpen = (one: string): boolean => /M-[ -~]{0,12}[^ -~]/s.test(one);
  fc.assert(
    fc.property(
      text.filter((one) => unvis(one) === one && !isOpen(one)),
      (one) => {
        expect(unvis(vis(one))).toBe(one);
      },
    ),
  );
});
