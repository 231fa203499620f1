import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Content, recognise } from '../../../daemon/docker-app/recognise.js';
import { renderShim } from '../../../daemon/docker-app/shim.js';
import { machO } from '../../lab/docker/mach-o.js';
import { dockerTuntapOsxShim } from './docker-tuntap-osx.js';

const shim = renderShim({ device: 'tap1', mac: '02:74:75:6e:74:61', wait: 5 });
/** The most that is asked for at once: sizes are somebody else's choice. */
let asked = 0;

const content = (bytes: Buffer, size = bytes.length): Content => ({
  size,
  read: (offset, length) => {
    asked = Math.max(asked, length);
    return bytes.subarray(offset, offset + length);
  },
});

const kindOf = (bytes: Buffer | string): string => recognise(content(Buffer.from(bytes)), shim).kind;

/** A universal binary of these slices, each on a boundary of 4 KiB (fat.h). */
function fat(slices: readonly Buffer[], wide: boolean): Buffer {
  const size = wide ? 32 : 20;
  const head = Buffer.alloc(4096);
  head.writeUInt32BE(wide ? 0xcafebabf : 0xcafebabe, 0);
  head.writeUInt32BE(slices.length, 4);
  const body = slices.map((slice) => Buffer.concat([slice, Buffer.alloc(-slice.length & 4095)]));
  let offset = 4096;
  slices.forEach((slice, index) => {
    const at = 8 + index * size;
    if (wide) {
      head.writeBigUInt64BE(BigInt(offset), at + 8);
      head.writeBigUInt64BE(BigInt(slice.length), at + 16);
    } else {
      head.writeUInt32BE(offset, at + 8);
      head.writeUInt32BE(slice.length, at + 12);
    }
    offset += body[index]?.length ?? 0;
  });
  return Buffer.concat([head, ...body]);
}

const binary = machO('one');
const wholes: readonly [string, Buffer][] = [
  ['a thin Mach-O', binary],
  ['a universal one', fat([binary, machO('two')], false)],
  ['a universal one with 64-bit offsets', fat([binary, machO('two')], true)],
];

describe.each(wholes)('%s', (_what, whole) => {
  test('is one when it is complete', () => {
    expect(kindOf(whole)).toBe('mach-o');
  });

  test('cut off anywhere before its end it is being written', () => {
    const end = whole.length - (whole === binary ? 0 : -machO('two').length & 4095);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: end - 1 }), (length) => {
        expect(kindOf(whole.subarray(0, length))).toBe('incomplete');
      }),
      { numRuns: 500 },
    );
  });

  test('of full size, but with zeros from somewhere on, it is being written', () => {
    const signature = 0x1000;
    for (const from of [0, 4, 40, signature]) {
      const bytes = Buffer.from(whole);
      const slice = whole === binary ? 0 : 4096;
      bytes.fill(0, slice + from);
      expect(kindOf(bytes)).not.toBe('mach-o');
    }
  });
});

test.each<[string, Buffer | string, string]>([
  ['our shim', shim, 'shim'],
  ['our shim for another tap', shim.replace('exec', 'tap=tap2\nexec'), 'outdated-shim'],
  ['our shim in an older wording', shim.replace('shim.', 'shim, version 1.'), 'outdated-shim'],
  ['our shim, cut off', shim.slice(0, 200), 'outdated-shim'],
  ['docker-tuntap-osx’s shim', dockerTuntapOsxShim, 'docker-tuntap-osx-shim'],
  ['a script that only names ours', `#!/bin/sh\necho\n# tuntapd hyperkit shim. \n`, 'foreign-script'],
  [
    'somebody’s script with a tap',
    '#!/bin/sh\nexec "$0.real" -s 2:1,virtio-tap,tap1 "$@"\n',
    'foreign-script',
  ],
  ['a text', 'Hello\nhyperkit, this is only a text of some length', 'unrecognised'],
  ['a Java class', Buffer.from('cafebabe00000034001d0a0006000f09', 'hex'), 'unrecognised'],
  ['an ELF executable', Buffer.concat([Buffer.from('7f454c46', 'hex'), Buffer.alloc(60)]), 'unrecognised'],
  ['nothing', '', 'incomplete'],
  ['zeros', Buffer.alloc(9000), 'incomplete'],
  ['a library', Buffer.from(binary).fill(6, 12, 13), 'unrecognised'],
])('%s', (_what, bytes, kind) => {
  expect(kindOf(bytes)).toBe(kind);
});

test('a foreign script is told by its first lines', () => {
  const text = '#!/bin/bash\n\n# Our team’s wrapper\nset -e\nexec "$0.real" "$@"\n';
  expect(recognise(content(Buffer.from(text)), shim).detail).toBe(
    '#!/bin/bash | # Our team’s wrapper | set -e | exec "$0.real" "$@"',
  );
});

test('whatever the bytes are, it says something, and asks for little at once', () => {
  asked = 0;
  const head = fc.constantFrom('feedfacf', 'cffaedfe', 'cafebabe', 'cafebabf', '2321', '');
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 400 }), fc.nat(), (magic, rest, more) => {
      const bytes = Buffer.concat([Buffer.from(magic, 'hex'), rest]);
      expect(typeof recognise(content(bytes, bytes.length + more), shim).kind).toBe('string');
    }),
    { numRuns: 5000 },
  );
  expect(recognise(content(binary, 2 ** 40), shim).kind).toBe('unrecognised');
  expect(asked).toBeLessThanOrEqual(262_144);
});
