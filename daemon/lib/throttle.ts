/**
 * `call` runs `work` at once, and then at most once in so many milliseconds: what is called for meanwhile is one call
 * at the end of them, so that the last one never goes unheard. After `stop` nothing runs any more.
 */
export function throttle(work: () => void, milliseconds: number): { call: () => void; stop: () => void } {
  let timer: NodeJS.Timeout | null = null;
  let again = false;
  let stopped = false;
  const call = (): void => {
    if (stopped) return;
    if (timer) {
      again = true;
      return;
    }
    again = false;
    timer = setTimeout(() => {
      timer = null;
      if (again) call();
    }, milliseconds);
    work();
  };
  return {
    call,
    stop: () => {
      stopped = true;
      if (timer) clearTimeout(timer);
    },
  };
}
