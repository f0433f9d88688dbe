import type { Clock } from "./clock.ts";

/**
 * Waits for a promise, but not longer than a while.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { withDeadline } from "./deadline.ts";
 * import { createSystemClock } from "./system_clock.ts";
 *
 * const never = new Promise(() => {});
 * const late = () => new RangeError("too late");
 * await assertRejects(() => withDeadline(never, 1, createSystemClock(), late), RangeError);
 * ```
 *
 * @param ms Milliseconds; 0 or less ends the waiting at the clock's next step.
 * @param late Makes the error that is thrown then. The promise itself goes on.
 */
export function withDeadline<T>(
  promise: Promise<T>,
  ms: number,
  clock: Clock,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()));
    promise.then((value) => {
      cancel();
      resolve(value);
    }, (error) => {
      cancel();
      reject(error);
    });
  });
}
