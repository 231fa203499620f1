/** A byte as strvis(3) writes it in the C locale with VIS_TAB, VIS_NL and VIS_NOSLASH, as `ps` asks (ps/print.c). */
function mark(byte: number): string {
  if (byte === 9 || byte === 10 || byte === 0xa0) return `\\${byte.toString(8).padStart(3, '0')}`;
  const low = byte & 0x7f;
  const meta = byte > 0x7f ? 'M' : '';
  if (low < 0x20) return `${meta}^${String.fromCharCode(low + 0x40)}`;
  if (low === 0x7f) return `${meta}^?`;
  return `${meta === '' ? '' : 'M-'}${String.fromCharCode(low)}`;
}

/** A text as macOS's `ps` prints it in the C locale. */
export const vis = (text: string): string => [...Buffer.from(text)].map(mark).join('');
