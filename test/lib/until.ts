/** Waits until `look` neither throws nor returns false; rejects with what it last said after `seconds`. */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | false>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown = 'it never held';
  for (;;) {
    try {
      const value = await look();
      if (value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      const why = last instanceof Error ? last.message : String(last);
      throw new Error(`${what}: not within ${seconds} s (${why})`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
