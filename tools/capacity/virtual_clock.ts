import { setImmediate } from "node:timers";
import TinyQueue from "tinyqueue";
import type { Clock } from "../../lib/clock.ts";

/** A clock that jumps from one moment at which there is something to do to the next. */
export interface VirtualClock extends Clock {
  /** Lives through so many milliseconds; what was promised comes to pass in between. */
  pass(ms: number): Promise<void>;
}

interface Timer {
  action: (() => void) | undefined;
}

/**
 * Makes a clock for simulations of hundreds of thousands of jobs. It knows whole
 * milliseconds only, as the runtime's own timers do, so whatever happens within
 * one of them is done in one go.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createVirtualClock } from "./virtual_clock.ts";
 *
 * const clock = createVirtualClock();
 * const seen: number[] = [];
 * clock.after(9.5, () => void Promise.resolve().then(() => seen.push(clock.monotonic())));
 * clock.after(20, () => seen.push(clock.monotonic()));
 * clock.after(15, () => seen.push(clock.monotonic()))();
 * await clock.pass(20);
 * assertEquals(seen, [10, 20]);
 * ```
 */
export function createVirtualClock(): VirtualClock {
  const start = Date.UTC(2026, 0, 1);
  const timersAt = new Map<number, Timer[]>();
  const moments = new TinyQueue<number>();
  let elapsed = 0;

  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, action) {
      const at = elapsed + Math.max(Math.ceil(ms), 0);
      const timer: Timer = { action };
      const timers = timersAt.get(at);
      if (timers !== undefined) timers.push(timer);
      else {
        timersAt.set(at, [timer]);
        moments.push(at);
      }
      return () => timer.action = undefined;
    },
    async pass(ms) {
      const end = elapsed + ms;
      await settle();
      while (moments.length > 0 && moments.peek()! <= end) {
        elapsed = moments.pop()!;
        // What is set for this very moment from now on comes in a go of its own.
        const timers = timersAt.get(elapsed)!;
        timersAt.delete(elapsed);
        for (const { action } of timers) action?.();
        await settle();
      }
      elapsed = end;
    },
  };
}

function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
