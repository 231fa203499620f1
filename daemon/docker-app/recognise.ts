import type { HyperkitKind } from '../observation.js';

/** What a file's bytes say it is. */
export interface Recognised {
  readonly kind: HyperkitKind;
  readonly detail: string;
}

const thin64 = 0xfeedfacf;
const fat32 = 0xcafebabe;
const fat64 = 0xcafebabf;
const segment64 = 0x19;
const codeSignature = 0x1d;

/** Where the last byte that a thin Mach-O's load commands promise ends; null when the commands make no sense. */
function thinEnd(bytes: Buffer, at: number): number | null {
  if (bytes.length < at + 32 || bytes.readUInt32LE(at) !== thin64) return null;
  const commands = bytes.readUInt32LE(at + 16);
  let end = at + 32 + bytes.readUInt32LE(at + 20);
  let offset = at + 32;
  for (let index = 0; index < commands; index += 1) {
    if (offset + 8 > bytes.length) return Infinity;
    const command = bytes.readUInt32LE(offset);
    const size = bytes.readUInt32LE(offset + 4);
    if (size < 8) return null;
    if (command === segment64 && offset + 72 <= bytes.length)
      end = Math.max(
        end,
        at + Number(bytes.readBigUInt64LE(offset + 40) + bytes.readBigUInt64LE(offset + 48)),
      );
    if (command === codeSignature && offset + 16 <= bytes.length)
      end = Math.max(end, at + bytes.readUInt32LE(offset + 8) + bytes.readUInt32LE(offset + 12));
    offset += size;
  }
  return end;
}

function fatEnd(bytes: Buffer, wide: boolean): number | null {
  if (bytes.length < 8) return Infinity;
  const count = bytes.readUInt32BE(4);
  const size = wide ? 32 : 20;
  // Java classes share the magic; their "count" is a version number.
  if (count === 0 || count > 16) return null;
  if (bytes.length < 8 + count * size) return Infinity;
  let end = 8 + count * size;
  for (let index = 0; index < count; index += 1) {
    const at = 8 + index * size;
    const offset = wide ? Number(bytes.readBigUInt64BE(at + 8)) : bytes.readUInt32BE(at + 8);
    const length = wide ? Number(bytes.readBigUInt64BE(at + 16)) : bytes.readUInt32BE(at + 12);
    end = Math.max(end, offset + length, thinEnd(bytes, offset) ?? 0);
  }
  return end;
}

function script(text: string, shim: string): Recognised {
  if (text === shim) return { kind: 'shim', detail: '' };
  if (/^# tuntapd hyperkit shim, version \d+/m.test(text.slice(0, 300)))
    return { kind: 'outdated-shim', detail: '' };
  if (text.includes('virtio-tap,tap') && text.includes('$0.original'))
    return { kind: 'docker-tuntap-osx-shim', detail: '' };
  return { kind: 'foreign-script', detail: text.split('\n').slice(0, 3).join(' ') };
}

/** Decides by content what stands at hyperkit's path; a Mach-O counts only when it is complete to its last byte. */
export function recognise(bytes: Buffer, shim: string): Recognised {
  if (bytes.length < 4) return { kind: 'incomplete', detail: `only ${bytes.length} bytes` };
  if (bytes.subarray(0, 2).toString('latin1') === '#!') return script(bytes.toString('utf8'), shim);
  const big = bytes.readUInt32BE(0);
  const end =
    bytes.readUInt32LE(0) === thin64
      ? bytes.length < 32
        ? Infinity
        : thinEnd(bytes, 0)
      : big === fat32 || big === fat64
        ? fatEnd(bytes, big === fat64)
        : null;
  if (end === null)
    return bytes.every((byte) => byte === 0)
      ? { kind: 'incomplete', detail: 'only zeros' }
      : { kind: 'unrecognised', detail: 'neither a Mach-O executable nor a script' };
  return bytes.length >= end
    ? { kind: 'mach-o', detail: '' }
    : { kind: 'incomplete', detail: `${bytes.length} bytes so far` };
}
