/** Text in as many columns as a terminal has. Pure. */

/** What may stand on a line of its own: words, and whatever backticks enclose, which is pasted. */
const wordsIn = (text: string): string[] =>
  [...`${text} `.matchAll(/((?:`[^`]*`|[^ ])*) /g)].map(([, word = '']) => word);

/** Lines of `text` no wider than `width` where its words allow that, each after `indent` blanks. */
export function wrapped(text: string, width: number, indent = 0): string[] {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let line = '';
  for (const word of wordsIn(text)) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${' '.repeat(indent)}${each}`);
}

/** Likewise, with a sign of its own, painted or not, in the margin of the first line: `margin` has room for it and a blank. */
export function hanging(sign: string, text: string, width: number, margin: number): string[] {
  const [first = '', ...rest] = wrapped(text, width, margin);
  return [`${sign} ${first.slice(margin)}`, ...rest];
}

/** At most `width` characters of `text`, the last one of a longer one `…`. */
export const cut = (text: string, width: number): string => {
  if (text.length <= width) return text;
  return width < 1 ? '' : `${text.slice(0, width - 1).replace(/[\ud800-\udbff]$/, '')}…`;
};

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A span of `milliseconds` in its largest fitting unit: `12 min`. */
function spanText(milliseconds: number): string {
  const [unit, name] =
    milliseconds < minute
      ? [second, 's']
      : milliseconds < hour
        ? [minute, 'min']
        : milliseconds < 2 * day
          ? [hour, 'h']
          : [day, 'days'];
  return `${Math.max(0, Math.floor(milliseconds / unit))} ${name}`;
}

/** How long ago an ISO 8601 time was at `now` ms: `12 min`; null where nobody can tell. */
export function ageText(iso: string, now: number): string | null {
  const at = Date.parse(iso);
  return Number.isNaN(at) || at > now + minute ? null : spanText(Math.max(0, now - at));
}
