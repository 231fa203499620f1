/** Both clocks at one moment, in ms. On macOS libuv's monotonic one counts sleep, so neither alone tells it. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** How often the clocks are to be looked at, in ms. */
export const tick = 10_000;
const lateness = 30_000;

/** Whether the Mac slept between two ticks: the second came more than 30 s late by either clock. */
export const slept = (before: Moment, now: Moment): boolean =>
  Math.max(now.wall - before.wall, now.monotonic - before.monotonic) - tick > lateness;
