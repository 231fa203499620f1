/** What a terminal showed, as a picture that is legible on light and on dark. Pure. */

export interface Shown {
  /** What was typed. */
  readonly command: string;
  /** What came, with its colours (SGR). */
  readonly output: string;
}

/** SGR codes that `styleText` writes, and the class of what follows; others change nothing. */
const classes: Readonly<Record<string, string>> = { 1: 'b', 2: 'd', 31: 'r', 32: 'g', 33: 'y' };
/** What ends them. */
const ends: Readonly<Record<string, readonly string[]>> = {
  0: ['b', 'd', 'r', 'g', 'y'],
  22: ['b', 'd'],
  39: ['r', 'g', 'y'],
};

const size = 14;
const lineHeight = 20;
/** Of a monospaced font, in its own size. */
const charWidth = size * 0.6;
const margin = 16;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A line in parts, each with the classes that are on, which go on in the next line. */
function partsOf(
  line: string,
  on: Set<string>,
): readonly { readonly text: string; readonly classes: string }[] {
  // eslint-disable-next-line no-control-regex
  return line.split(/(\u001b\[[\d;]*m)/).flatMap((piece) => {
    // eslint-disable-next-line no-control-regex
    const codes = /^\u001b\[([\d;]*)m$/.exec(piece)?.[1];
    if (codes === undefined) return piece === '' ? [] : [{ text: piece, classes: [...on].join(' ') }];
    for (const code of codes.split(';')) {
      for (const ended of ends[code === '' ? '0' : code] ?? []) on.delete(ended);
      const begun = classes[code];
      if (begun !== undefined) on.add(begun);
    }
    return [];
  });
}

const span = ({ text, classes: names }: { text: string; classes: string }): string =>
  names === '' ? escaped(text) : `<tspan class="${names}">${escaped(text)}</tspan>`;

/** One picture of all of it, one below the other, wide enough for `columns`. `title`: for those who do not see it. */
export function terminalSvg(
  shown: readonly Shown[],
  { columns, title }: { columns: number; title: string },
): string {
  const on = new Set<string>();
  const lines = shown.flatMap(({ command, output }, index) => [
    ...(index === 0 ? [] : ['']),
    `<tspan class="d">$</tspan> <tspan class="b">${escaped(command)}</tspan>`,
    ...output
      .replaceAll('\r', '')
      .trimEnd()
      .split('\n')
      .map((line) => partsOf(line, on).map(span).join('')),
  ]);
  const width = Math.ceil(columns * charWidth) + 2 * margin;
  const height = lines.length * lineHeight + 2 * margin;
  const rows = lines.map(
    (line, index) => `<text x="${margin}" y="${margin + (index + 1) * lineHeight - 5}">${line}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" xml:space="preserve" aria-label="${escaped(title).replaceAll('"', '&quot;')}">
<style>
rect { fill: #ffffff; stroke: #d0d7de }
text { font: ${size}px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
.b { font-weight: bold } .d { fill: #59636e } .r { fill: #b3261e } .g { fill: #116329 } .y { fill: #7d4e00 }
@media (prefers-color-scheme: dark) {
rect { fill: #0d1117; stroke: #3d444d }
text { fill: #e6edf3 }
.d { fill: #9198a1 } .r { fill: #ff7b72 } .g { fill: #3fb950 } .y { fill: #d29922 }
}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${rows.join('\n')}
</svg>
`;
}
