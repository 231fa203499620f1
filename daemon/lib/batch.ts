/**
 * Gathers what is asked for one by one within the same turn of the event loop, and has it done at once: `work` returns
 * for each item what went wrong with it, or null. When it rejects, that is every item's failure.
 */
export function inBatches<T>(
  work: (items: readonly T[]) => Promise<readonly (Error | null)[]>,
): (item: T) => Promise<void> {
  interface Entry {
    readonly item: T;
    readonly settle: (error: Error | null) => void;
  }
  let waiting: Entry[] = [];
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    try {
      const errors = await work(batch.map(({ item }) => item));
      batch.forEach(({ settle }, index) => {
        settle(errors[index] ?? null);
      });
    } catch (error) {
      for (const { settle } of batch) settle(error as Error);
    }
  };
  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) queueMicrotask(() => void flush());
      waiting.push({
        item,
        settle: (error) => {
          if (error) reject(error);
          else resolve();
        },
      });
    });
}
