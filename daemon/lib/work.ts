/** Work that may be put down wherever it yields, and returns what it has made. */
export type Work<T> = Generator<undefined, T>;

/** Does all of it at once. */
export function finished<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
