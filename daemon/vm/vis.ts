/**
 * One character of UTF-8 beyond ASCII, each byte as strvis(3) writes it without backslashes: a byte from 0x80 is `M` and
 * its low seven bits, a control character of these with `^`, all others with `-`, but for 0xA0, which is in octal.
 */
const byte = String.raw`(?:M\^[@-_]|\\240|M-[!-?])`;
const character = new RegExp(`M-(?:[B-_]${byte}|[\`-o]${byte}{2}|[p-t]${byte}{3})`, 'g');

const valueOf = (mark: string): number =>
  mark === '\\240' ? 0xa0 : mark.charCodeAt(2) ^ (mark[1] === '^' ? 0xc0 : 0x80);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text that `ps` printed in the C locale, where `é` is `M-CM-)` (adv_cmds ps/print.c: VIS_TAB | VIS_NL |
 * VIS_NOSLASH). Only whole characters of UTF-8 beyond ASCII are decoded: tabs and newlines stay escaped, and so does
 * what is no UTF-8. A text that holds such a mark of its own comes out the same as the character.
 */
export const unvis = (text: string): string =>
  text.replace(character, (marks) => {
    const bytes = marks.match(/\\240|M[-^]./g) ?? [];
    try {
      return utf8.decode(Uint8Array.from(bytes, valueOf));
    } catch {
      return marks;
    }
  });
