import { expect, test } from '@jest/globals';
import { listenOf } from '../../../config/listen.js';
import { parseConfig } from '../../../config/parse.js';

test.each([
  ['127.0.0.1:9187', { host: '127.0.0.1', port: 9187 }],
  ['127.200.0.255:65535', { host: '127.200.0.255', port: 65_535 }],
  ['[::1]:80', { host: '::1', port: 80 }],
])('%s is on this Mac alone', (text, listen) => {
  expect(listenOf(text)).toEqual(listen);
  expect(parseConfig(`[metrics]\nlisten = "${text}"\n`, 'file').metrics).toEqual({ listen: text });
});

test.each([
  '0.0.0.0:9187',
  '[::]:9187',
  '192.168.1.2:9187',
  '10.0.75.1:9187',
  '128.0.0.1:9187',
  '127.0.0.256:9187',
  '127.0.0.01:9187',
  '127.1:9187',
  '2130706433:9187',
  '[::ffff:127.0.0.1]:9187',
  '[::2]:9187',
  '::1:9187',
  'localhost:9187',
  'mac.local:9187',
  ':9187',
  '9187',
  '127.0.0.1',
  '127.0.0.1:0',
  '127.0.0.1:65536',
  '127.0.0.1:09',
  '127.0.0.1:9187 ',
  'http://127.0.0.1:9187',
  '',
])('%j is refused, and the key named', (text) => {
  expect(listenOf(text)).toBeNull();
  expect(() => parseConfig(`[metrics]\nlisten = "${text}"\n`, 'file')).toThrow(
    /metrics\.listen[^]*a loopback address of this Mac with a port/,
  );
});

test('nothing listens unless it is asked for', () => {
  expect(parseConfig('', 'file').metrics.listen).toBeUndefined();
});
