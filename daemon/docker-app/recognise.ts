import type { HyperkitKind } from '../core/observation.js';

/** What a file's bytes say it is. */
export interface Recognised {
  readonly kind: HyperkitKind;
  readonly detail: string;
}

/** A file whose size is its owner's choice: parts of it are read, never the whole. */
export interface Content {
  readonly size: number;
  /** At most `length` bytes from `offset`; fewer where the file ends. */
  readonly read: (offset: number, length: number) => Buffer;
}

/** mach-o/loader.h, mach-o/fat.h, kern/cs_blobs.h. */
const thin64 = 0xfeedfacf;
const executable = 2;
const fat32 = 0xcafebabe;
const fat64 = 0xcafebabf;
const segment64 = 0x19;
const codeSignature = 0x1d;
const embeddedSignature = 0xfade0cc0;
/** Load commands of a real executable take a few KiB. */
const maxCommandBytes = 262_144;
const maxScriptBytes = 65_536;
/** hyperkit has some 10 to 40 MB. */
const maxBytes = 1_073_741_824;

const nonsense: Recognised = {
  kind: 'unrecognised',
  detail: 'it is neither a Mach-O executable nor a script',
};
const complete: Recognised = { kind: 'mach-o', detail: '' };
const incomplete = (detail: string): Recognised => ({ kind: 'incomplete', detail });

/** A thin Mach-O at `at`, which may be a slice of a fat one: whole to the end of its last segment and signature? */
function thin(content: Content, at: number): Recognised {
  const short = incomplete(`only ${content.size} bytes so far`);
  const header = content.read(at, 32);
  if (header.length < 32) return short;
  if (header.readUInt32LE(0) !== thin64)
    return header.every((byte) => byte === 0) ? incomplete('it begins with zeros') : nonsense;
  if (header.readUInt32LE(12) !== executable) return nonsense;
  const count = header.readUInt32LE(16);
  const size = header.readUInt32LE(20);
  if (size > maxCommandBytes) return nonsense;
  const commands = content.read(at + 32, size);
  if (commands.length < size) return short;
  let signature: number | null = null;
  let end = 32 + size;
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    if (offset + 8 > size) return nonsense;
    const command = commands.readUInt32LE(offset);
    const length = commands.readUInt32LE(offset + 4);
    if (length < 8 || offset + length > size) return nonsense;
    if (command === segment64) {
      if (length < 72) return nonsense;
      end = Math.max(
        end,
        Number(commands.readBigUInt64LE(offset + 40) + commands.readBigUInt64LE(offset + 48)),
      );
    }
    if (command === codeSignature) {
      if (length < 16) return nonsense;
      signature = commands.readUInt32LE(offset + 8);
      end = Math.max(end, signature + commands.readUInt32LE(offset + 12));
    }
    offset += length;
  }
  if (at + end > content.size) return short;
  if (signature === null) return complete;
  // A copier that sets the size first has zeros where the signature will be.
  const blob = content.read(at + signature, 4);
  return blob.length === 4 && blob.readUInt32BE(0) === embeddedSignature
    ? complete
    : incomplete('its signature is not written yet');
}

function fat(content: Content, wide: boolean): Recognised {
  const short = incomplete(`only ${content.size} bytes so far`);
  const header = content.read(0, 8);
  if (header.length < 8) return short;
  const count = header.readUInt32BE(4);
  // Java classes share the magic; their "count" is a version number.
  if (count === 0 || count > 16) return nonsense;
  const size = wide ? 32 : 20;
  const slices = content.read(8, count * size);
  if (slices.length < count * size) return short;
  for (let at = 0; at < slices.length; at += size) {
    const offset = wide ? Number(slices.readBigUInt64BE(at + 8)) : slices.readUInt32BE(at + 8);
    const length = wide ? Number(slices.readBigUInt64BE(at + 16)) : slices.readUInt32BE(at + 12);
    if (offset + length > content.size) return short;
    const slice = thin(content, offset);
    if (slice.kind !== 'mach-o') return slice;
  }
  return complete;
}

/** Two lines of docker-tuntap-osx's docker.hyperkit.tuntap.sh, the same in all of its versions. */
const dockerTuntapOsx = [/"-s" "2:\$ethintf,virtio-tap,\$tapintf"/, /^exec \$0\.original "\$@"$/m];

function script(content: Content, shim: string): Recognised {
  const text = content.read(0, Math.min(content.size, maxScriptBytes)).toString('utf8');
  const whole = content.size <= maxScriptBytes;
  if (whole && text === shim) return { kind: 'shim', detail: '' };
  if (/^#!\/bin\/sh\n# tuntapd hyperkit shim[.,] /.test(text)) return { kind: 'outdated-shim', detail: '' };
  if (whole && dockerTuntapOsx.every((line) => line.test(text)))
    return { kind: 'docker-tuntap-osx-shim', detail: '' };
  const lines = text.slice(0, 2000).split('\n');
  return {
    kind: 'foreign-script',
    detail: lines
      .filter((line) => line.trim() !== '')
      .slice(0, 4)
      .join(' | '),
  };
}

/** Decides by content what stands at hyperkit's path; a Mach-O counts only when it is complete to its last byte. */
export function recognise(content: Content, shim: string): Recognised {
  const head = content.read(0, 4);
  if (head.length < 4) return incomplete(`only ${head.length} bytes so far`);
  if (head.subarray(0, 2).toString('latin1') === '#!') return script(content, shim);
  if (content.size > maxBytes)
    return { kind: 'unrecognised', detail: 'it is larger than any hyperkit (1 GiB)' };
  const magic = head.readUInt32BE(0);
  return magic === fat32 || magic === fat64 ? fat(content, magic === fat64) : thin(content, 0);
}
