import type { EngineClient } from './engine-client.js';

/**
 * What `work` makes of an engine whose every request is given up after `milliseconds` in all, or when `signal` aborts. A
 * request with a signal of its own has that one alone. The second argument aborts with them. Throws why it was given up, or whatever `work` throws.
 */
export async function withDeadline<T>(
  engine: EngineClient,
  { milliseconds, signal }: { milliseconds: number; signal?: AbortSignal | undefined },
  work: (engine: EngineClient, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const giveUp = (): void => {
    ending.abort(signal?.reason);
  };
  const timer = setTimeout(() => {
    ending.abort(new Error(`Docker Engine was not done within ${milliseconds / 1000} s`));
  }, milliseconds);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted === true) giveUp();
  const common = { signal: ending.signal };
  try {
    const bounded: EngineClient = {
      version: engine.version,
      architecture: engine.architecture,
      json: (method, path, schema, how) => engine.json(method, path, schema, { ...common, ...how }),
      bytes: (method, path, how) => engine.bytes(method, path, { ...common, ...how }),
      stream: (path, onLine, how) => engine.stream(path, onLine, { ...common, ...how }),
      attach: (path, how) => engine.attach(path, { ...common, ...how }),
    };
    return await work(bounded, ending.signal);
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
