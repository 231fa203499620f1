import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseDestination, parseRoutingTable, readRoutingTable } from '../../../daemon/mac/netstat.js';
import { dotted, mask } from '../../lab/mac/xnu/table.js';
import { short } from './fake-mac.js';

test.each([
  ['10', 'UGSc', '10.0.0.0/8'],
  ['10/24', 'UGSc', '10.0.0.0/24'],
  ['10.9/24', 'UGSc', '10.9.0.0/24'],
  ['10.0.75/30', 'UC', '10.0.75.0/30'],
  ['10.0.75.4/30', 'UC', '10.0.75.4/30'],
  ['100.64/10', 'UGSc', '100.64.0.0/10'],
  ['0/1', 'UGSc', '0.0.0.0/1'],
  ['128.0/1', 'UGSc', '128.0.0.0/1'],
  ['172.17', 'UGSc', '172.17.0.0/16'],
  ['172.16/12', 'UGSc', '172.16.0.0/12'],
  ['192.168.64', 'UC', '192.168.64.0/24'],
  ['192.168.0/16', 'UC', '192.168.0.0/16'],
  ['224.0.0/4', 'UmCS', '224.0.0.0/4'],
  ['127', 'UCS', '127.0.0.0/8'],
  ['10.0.0.1', 'UH', '10.0.0.1/32'],
  ['10.0.0.1/32', 'UCS', '10.0.0.1/32'],
  ['default', 'UGSc', '0.0.0.0/0'],
  ['0.128/9', 'Uc', '0.128.0.0/9'],
  ['8/7', 'Uc', '8.0.0.0/7'],
  // Masks with holes: the narrowest prefix that holds all of what they mean.
  ['10.4&0xff00', 'UGSc', '10.0.0.0/8'],
  ['172.16.9&0xfff0', 'UGSc', '172.16.0.0/12'],
])('%s (%s) is %s', (short, flags, expected) => {
  expect(parseDestination(short, flags)?.text).toBe(expected);
});

test.each(['fe80::1%lo0', 'ff02::', '300.1', '10/33', ''])('%j is no IPv4 destination', (text) => {
  expect(parseDestination(text, 'U')).toBeNull();
});

test('whatever the kernel prints is read back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 1, max: 32 }),
      (address, prefix) => {
        const base = (address & mask(prefix)) >>> 0;
        const printed = short({ base, prefix, isHost: false });
        expect(parseDestination(printed, 'UGSc')?.text).toBe(`${dotted(base)}/${prefix}`);
      },
    ),
  );
});

const layouts = {
  'macOS 10.14': `Routing tables

Internet:
Destination        Gateway            Flags        Refs      Use   Netif Expire
default            192.168.8.1        UGSc           61        4     en0
10.0.75/30         link#12            UC              2        0    tap1
172.17             10.0.75.2          UGSc            0        0    tap1
192.168.8.7        0:1c:42:a:b:c      UHLWIir        39       98     en0   1150
`,
  'macOS 13': `Routing tables

Internet:
Destination        Gateway            Flags           Netif Expire
default            192.168.8.1        UGScg             en0       
10.0.75/30         link#12            UC               tap1       
172.17             10.0.75.2          UGSc             tap1       
192.168.8.7        0:1c:42:a:b:c      UHLWIir           en0      !
`,
};

test.each(Object.entries(layouts))('%s: every row, whatever its columns', (_name, text) => {
  expect(parseRoutingTable(text).map((row) => [row.destination.text, row.gateway, row.interface])).toEqual([
    ['0.0.0.0/0', '192.168.8.1', 'en0'],
    ['10.0.75.0/30', 'link#12', 'tap1'],
    ['172.17.0.0/16', '10.0.75.2', 'tap1'],
    ['192.168.8.7/32', '0:1c:42:a:b:c', 'en0'],
  ]);
});

const printedRows = `Destination        Gateway            Flags        Refs      Use   Netif Expire
default            10.219.16.1        UGSc           90        0     en4
default            link#12            UCSI            0        0 bridge1
0/1                utun0              UScg            2        0   utun0
0.64/10            utun6              Uc              0        0   utun6
1                  utun6              Uc              0        0   utun6
4/6                utun6              Uc              0        0   utun6
10.9/24            10.9.0.15          UGSc            1        0   utun4
10.219.5.1/32      link#6             UCS             1        0     en0
10.33.33.2         10.33.33.1         UH              0        0   utun3
128.0/1            utun0              USc             0        0   utun0
169.254            link#4             UCS             0        0     en0      !
172.17             utun3              USc             0        0   utun3
192.168.59         link#11            UC              2        0 vboxnet
192.168.64.4       ce.19.fd.c4.c3.30  UHLWIi          4    24613 bridge1   1187
224.0.0/4          link#4             UmCS            2        0     en0
`;

test('a Mac’s table with VPNs, bridges and virtual machines is read row by row, scoped or not', () => {
  const { routes, unread } = readRoutingTable(printedRows);
  expect(unread).toEqual([]);
  expect(routes.map((row) => `${row.destination.text} ${row.gateway} ${row.flags} ${row.interface}`)).toEqual(
    [
      '0.0.0.0/0 10.219.16.1 UGSc en4',
      '0.0.0.0/0 link#12 UCSI bridge1',
      '0.0.0.0/1 utun0 UScg utun0',
      '0.64.0.0/10 utun6 Uc utun6',
      '1.0.0.0/8 utun6 Uc utun6',
      '4.0.0.0/6 utun6 Uc utun6',
      '10.9.0.0/24 10.9.0.15 UGSc utun4',
      '10.219.5.1/32 link#6 UCS en0',
      '10.33.33.2/32 10.33.33.1 UH utun3',
      '128.0.0.0/1 utun0 USc utun0',
      '169.254.0.0/16 link#4 UCS en0',
      '172.17.0.0/16 utun3 USc utun3',
      '192.168.59.0/24 link#11 UC vboxnet',
      '192.168.64.4/32 ce.19.fd.c4.c3.30 UHLWIi bridge1',
      '224.0.0.0/4 link#4 UmCS en0',
    ],
  );
});

const tables = join(import.meta.dirname, '../../fixtures/netstat');
const isRow = (line: string): boolean => /^(default|\d)/.test(line);
test.each(readdirSync(tables))('the table %s is read without loss', (name) => {
  // Where a shell's prompt or IPv6 rows were shared with it, the IPv4 table alone.
  const [text = ''] = readFileSync(join(tables, name), 'utf8').split('\nInternet6:');
  const lines = text.split('\n').filter((line) => isRow(line) || line.startsWith('Destination'));
  const { routes, unread } = readRoutingTable(lines.join('\n'));
  expect(unread).toEqual([]);
  expect(routes).toHaveLength(lines.filter(isRow).length);
  expect(routes.length).toBeGreaterThan(0);
});
