/**
 * Lets only so many actions run at once. The others wait, in the order they came.
 *
 * @example The second one waits for the first
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Slots } from "./slots.ts";
 *
 * const slots = new Slots(1);
 * const order: string[] = [];
 * const first = Promise.withResolvers<void>();
 * const both = [
 *   slots.run(() => first.promise.then(() => order.push("first"))),
 *   slots.run(() => Promise.resolve(order.push("second"))),
 * ];
 * first.resolve();
 * await Promise.all(both);
 * assertEquals(order, ["first", "second"]);
 * ```
 */
export class Slots {
  #free: number;
  // A set, as it can be taken from in front at no cost, however many wait.
  readonly #waiting = new Set<() => void>();

  /** @param count Actions at once, ≥ 1. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Runs an action as soon as there is a slot. */
  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.add(resolve));
    try {
      return await action();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else {
        // The slot passes on, so the count stays.
        this.#waiting.delete(next);
        next();
      }
    }
  }
}
