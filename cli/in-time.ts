/** What `asked` resolves to; after `limit` ms it rejects, with words for people as its code. */
export async function inTime<T>(asked: Promise<T>, limit: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error('too late'), { code: `no answer within ${limit / 1000} s` }));
    }, limit);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
