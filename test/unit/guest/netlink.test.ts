import { SocketAddress } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '../../../daemon/guest/ip-address.js';
import { acknowledged, ask, readAddresses, readLinks, readRoutes } from '../../../daemon/guest/netlink.js';
import { attribute, message } from './fake-vm.js';

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const index = fc.integer({ min: 1, max: 0x7fff_ffff });
const address = fc.oneof(
  fc.ipV4().map((text) => [text, 32] as const),
  fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((bytes) => [formatAddress(Buffer.from(bytes)) ?? '', 128] as const),
);

describe('netlink', () => {
  test('an address that is asked for is read back as it was', () => {
    fc.assert(
      fc.property(address, index, fc.nat(), (pair, nic, some) => {
        const [text, longest] = pair;
        const own = { index: nic, address: text, prefix: some % (longest + 1) };
        expect(readAddresses([ask.addAddress(own)])).toEqual([own]);
        expect(ask.removeAddress(own).subarray(16).equals(ask.addAddress(own).subarray(16))).toBe(true);
      }),
    );
  });

  test('MTU and “up” of an interface are read back', () => {
    fc.assert(
      fc.property(index, fc.nat(65_535), (nic, mtu) => {
        expect(readLinks([ask.bringUp(nic, mtu)])).toMatchObject([
          { index: nic, mtu, up: true, name: '', mac: '' },
        ]);
      }),
    );
  });

  test('routes of any table are read, those of other types are not', () => {
    const route = (table: number, type: number, ...attributes: Buffer[]): Buffer =>
      message(24, Buffer.from([2, 24, 0, 0, table, 3, 0, type, 0, 0, 0, 0]), ...attributes);
    const to = attribute(1, Buffer.from([10, 0, 75, 0]));
    expect(
      readRoutes([
        Buffer.concat([
          route(254, 1, to, attribute(4, u32(7))),
          route(0, 1, to, attribute(15, u32(254))),
          route(0, 1, attribute(15, u32(1000)), attribute(4, u32(3))),
          route(255, 2, to),
        ]),
      ]),
    ).toEqual([
      { isMain: true, address: '10.0.75.0', prefix: 24, index: 7 },
      { isMain: true, address: '10.0.75.0', prefix: 24, index: 0 },
      { isMain: false, address: null, prefix: 24, index: 3 },
    ]);
  });

  test('what is refused is told by its name, and silence is no acknowledgement', () => {
    const error = (number: number): Buffer => message(2, u32(-number >>> 0), Buffer.alloc(16));
    acknowledged([error(0)]);
    expect(() => {
      acknowledged([error(1)]);
    }).toThrow('refused: EPERM');
    expect(() => {
      acknowledged([error(9999)]);
    }).toThrow('refused: errno 9999');
    expect(() => {
      acknowledged([]);
    }).toThrow('did not acknowledge');
  });

  test('garbage, and what is almost right, gives values or an error, and an end', () => {
    const garbage = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
    const almost = fc
      .tuple(fc.constantFrom(16, 20, 24, 2, 3), garbage)
      .map(([type, body]) => message(type, body));
    const damaged = fc.tuple(index, fc.nat(200), fc.nat(255)).map(([nic, at, byte]) => {
      const bytes = Buffer.from(ask.addAddress({ index: nic, address: '10.0.75.2', prefix: 30 }));
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(garbage, almost, damaged), { maxLength: 4 }), (datagrams) => {
        for (const read of [readLinks, readAddresses, readRoutes, acknowledged])
          try {
            read(datagrams);
          } catch (error) {
            expect((error as Error).message).toMatch(/^a netlink message is cut$|^the VM’s kernel /);
          }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an address', () => {
  test('of 4 or 16 bytes comes back as it was, in the form that node gives it', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(bytes, (some) => {
        const text = formatAddress(Buffer.from(some)) ?? '';
        const family = some.length === 4 ? 4 : 6;
        expect(new SocketAddress({ address: text, family: `ipv${family}` }).address).toBe(text);
        expect(parseAddress(text)).toEqual({ family, bytes: Buffer.from(some) });
      }),
    );
  });

  test('in any of its forms is the one that node and a URL take it for', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const parsed = parseAddress(text);
        const { address: usual } = new SocketAddress({ address: text, family: 'ipv6' });
        expect(parsed && formatAddress(parsed.bytes)).toBe(usual);
        const { hostname } = new URL(`http://[${text}]/`);
        expect(parseAddress(hostname.slice(1, -1))).toEqual(parsed);
      }),
    );
  });

  test.each([
    '',
    '::ffff:1.2.3',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4.5',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7',
    ':::',
    '::1::',
    'localhost',
    '1.2.3.4/24',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  test('has 4 or 16 bytes', () => {
    for (const length of [0, 3, 5, 15, 17]) expect(formatAddress(Buffer.alloc(length))).toBeNull();
  });

  test('that is none is refused before anything is asked', () => {
    expect(() => ask.addAddress({ index: 1, address: 'nowhere', prefix: 8 })).toThrow(RangeError);
  });
});
