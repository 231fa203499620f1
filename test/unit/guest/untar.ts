/** The plain files of a tar archive by name. Throws at a header whose checksum is not its own, or an archive without end. */
export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; ;) {
    const head = archive.subarray(at, at + 512);
    if (head.length < 512) throw new Error('the archive is cut');
    if (head.every((byte) => byte === 0)) return files;
    const text = (from: number, to: number): string =>
      head.toString('latin1', from, to).replace(/[\0 ].*$/s, '');
    const own = head.reduce((total, byte, place) => total + (place >= 148 && place < 156 ? 32 : byte), 0);
    if (Number.parseInt(text(148, 156), 8) !== own) throw new Error('the archive has a wrong checksum');
    const size = Number.parseInt(text(124, 136), 8);
    if (archive.length < at + 512 + size) throw new Error('the archive is cut');
    files.set(text(0, 100), archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
