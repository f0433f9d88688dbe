/** Counts what arrives, for those who wait for it. */
export class Counter {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  /** How many so far. */
  get count(): number {
    return this.#count;
  }

  /** One more. */
  increment(): void {
    this.#count++;
    this.#waiting.forEach((check) => check());
  }

  /** Resolves once there have been so many. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.#count < count) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}
