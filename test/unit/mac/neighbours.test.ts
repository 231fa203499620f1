import { expect, test } from '@jest/globals';
import { neighboursAt, neighboursIn } from '../../../daemon/mac/neighbours.js';

test.each([
  [
    '? (192.168.64.2) at ba:28:4:fb:9a:30 on bridge100 ifscope [bridge]\n',
    [{ address: '192.168.64.2', mac: 'ba:28:04:fb:9a:30', interface: 'bridge100' }],
  ],
  [
    '? (192.168.64.2) at 22:2e:f:0:ee:2 on bridge101 permanent [bridge]\n',
    [{ address: '192.168.64.2', mac: '22:2e:0f:00:ee:02', interface: 'bridge101' }],
  ],
  [
    // The same address on two bridges.
    '? (192.168.64.2) at ba:28:4:fb:9a:30 on bridge100 ifscope [bridge]\n? (192.168.64.2) at 1:2:3:4:5:6 on bridge101 ifscope [bridge]\n',
    [
      { address: '192.168.64.2', mac: 'ba:28:04:fb:9a:30', interface: 'bridge100' },
      { address: '192.168.64.2', mac: '01:02:03:04:05:06', interface: 'bridge101' },
    ],
  ],
  ['? (192.168.64.2) at (incomplete) on bridge100 ifscope [bridge]\n', []],
  ['192.168.64.2 (192.168.64.2) -- no entry\n', []],
  ['', []],
])('%j', (text, expected) => {
  expect(neighboursIn(text)).toEqual(expected);
});

test('nobody is there where arp has no row; that arp hangs is an error', async () => {
  const stdout = '192.168.64.2 (192.168.64.2) -- no entry\n';
  expect(
    await neighboursAt('192.168.64.2', () => Promise.resolve({ stdout, stderr: '', exitCode: 1 })),
  ).toEqual([]);
  await expect(neighboursAt('192.168.64.2', () => Promise.reject(new Error('hangs')))).rejects.toThrow(
    'hangs',
  );
});
