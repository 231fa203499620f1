/**
 * How old a stamp of a clock is that people and NTP set: what lies ahead was stamped before the clock was set back, and
 * how long ago nobody knows. Pure.
 */

/** Milliseconds by which a stamp may be ahead without that: the two were read one after the other, or rounded. */
const slack = 10_000;

/** Milliseconds from `stamp` to `now`, never negative; Infinity for a stamp from before the clock was set back. */
export const ageOf = (stamp: number, now: number): number =>
  stamp - now > slack ? Infinity : Math.max(0, now - stamp);
