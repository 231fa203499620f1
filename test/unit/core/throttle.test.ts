import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { throttle } from '../../../daemon/lib/throttle.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('the first call is heard at once, a storm of them twice a second, and the last one never lost', () => {
  const heard: number[] = [];
  const { call } = throttle(() => heard.push(Date.now()), 500);
  const began = Date.now();
  call();
  expect(heard).toEqual([began]);
  for (let tick = 0; tick < 1000; tick += 10) {
    call();
    jest.advanceTimersByTime(10);
  }
  jest.advanceTimersByTime(10_000);
  expect(heard).toEqual([began, began + 500, began + 1000]);
  call();
  expect(heard.at(-1)).toBe(Date.now());
});

test('stopped, it says nothing any more', () => {
  const heard: number[] = [];
  const { call, stop } = throttle(() => heard.push(1), 500);
  call();
  call();
  stop();
  call();
  jest.advanceTimersByTime(10_000);
  expect(heard).toHaveLength(1);
});
