/** Runs one function per key at a time, in order of arrival; different keys do not wait for each other. */
export interface KeyedLock {
  run<T>(key: string, critical: () => Promise<T>): Promise<T>;
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run: async (key, critical) => {
      const before = tails.get(key) ?? Promise.resolve();
      const turn = before.then(critical, critical);
      // The next in line waits for the end of this turn, not for its success.
      const tail = turn.catch(() => undefined);
      tails.set(key, tail);
      try {
        return await turn;
      } finally {
        if (tails.get(key) === tail) tails.delete(key);
      }
    },
  };
}
