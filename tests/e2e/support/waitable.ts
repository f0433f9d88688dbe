/** Wakes those who wait for something to become true whenever something has happened. */
export interface Waitable {
  /** Something has happened: everybody looks again. */
  notify(): void;
  /**
   * Resolves with what `look` returns as soon as that is not `undefined`.
   *
   * @throws {Error} When the time is over; its message is what `otherwise` says then.
   */
  until<T>(look: () => T | undefined, timeoutMs: number, otherwise: () => string): Promise<T>;
}

/** Makes a {@linkcode Waitable}. */
export function createWaitable(): Waitable {
  const watchers = new Set<() => void>();
  return {
    notify: () => [...watchers].forEach((check) => check()),
    until<T>(look: () => T | undefined, timeoutMs: number, otherwise: () => string) {
      return new Promise<T>((resolve, reject) => {
        const check = () => {
          const found = look();
          if (found === undefined) return;
          finish();
          resolve(found);
        };
        const timer = setTimeout(() => {
          finish();
          reject(new Error(`${otherwise()} after ${timeoutMs} ms`));
        }, timeoutMs);
        const finish = () => {
          clearTimeout(timer);
          watchers.delete(check);
        };
        watchers.add(check);
        check();
      });
    },
  };
}
