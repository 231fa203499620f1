import { styleText } from 'node:util';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'plist';
import { terminalSvg } from '../lib/terminal-svg.js';

const styled = (style: Parameters<typeof styleText>[0], text: string): string =>
  styleText(style, text, { validateStream: false });
const options = { columns: 40, title: 'a terminal' };
/** What a reader sees, line by line. */
const read = (svg: string): string[] =>
  [...svg.matchAll(/<text [^>]*>(.*)<\/text>/g)].map(([, line = '']) =>
    line
      .replaceAll(/<[^>]*>/g, '')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&'),
  );

test('colours become classes, and end where they end', () => {
  const output = `${styled('bold', styled('green', 'ready'))}: ${styled('dim', 'since')} then\n${styled('red', 'no')}\r\n`;
  const svg = terminalSvg([{ command: 'tuntapctl status', output }], options);
  expect(read(svg)).toEqual(['$ tuntapctl status', 'ready: since then', 'no']);
  expect(svg).toContain('<tspan class="b g">ready</tspan>: <tspan class="d">since</tspan> then</text>');
  expect(svg).toContain('<tspan class="r">no</tspan></text>');
});

test('several commands stand below each other', () => {
  const shown = ['one', 'two'].map((command) => ({ command, output: `${command}!\n` }));
  expect(read(terminalSvg(shown, options))).toEqual(['$ one', 'one!', '', '$ two', 'two!']);
});

test('whatever is shown is read again, and is never markup', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', '"', 'a', ' ', '✓', '⇄') }), (output) => {
      const svg = terminalSvg([{ command: output, output }], options);
      expect(read(svg).slice(0, 2)).toEqual([`$ ${output}`, output.trimEnd()]);
      // Any reader of XML takes it.
      const body = svg
        .slice(svg.indexOf('<text'), svg.lastIndexOf('</svg>'))
        .replaceAll(/<\/?t(?:ext|span)[^>]*>/g, '');
      expect(parse(`<plist version="1.0"><string>${body}</string></plist>`)).toBe(
        read(svg).join('\n') + '\n',
      );
    }),
  );
});
