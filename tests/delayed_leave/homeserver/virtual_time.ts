import { setImmediate } from "node:timers";
import TinyQueue from "tinyqueue";
import type { Clock } from "../../../lib/clock.ts";

/** A clock that jumps from one timer to the next, and lets promises settle in between. */
export interface VirtualTime extends Clock {
  /** Lives through so many milliseconds. */
  pass(ms: number): Promise<void>;
  /** Timers that wait. */
  readonly timers: number;
}

interface Timer {
  readonly dueAt: number;
  readonly number: number;
  action: (() => void) | undefined;
}

/**
 * Makes a clock for simulations: hundreds of thousands of timers cost it little.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createVirtualTime } from "./virtual_time.ts";
 *
 * const clock = createVirtualTime();
 * const seen: number[] = [];
 * clock.after(10, () => void Promise.resolve().then(() => seen.push(clock.monotonic())));
 * clock.after(20, () => seen.push(clock.monotonic()));
 * await clock.pass(30);
 * assertEquals(seen, [10, 20]);
 * ```
 */
export function createVirtualTime(): VirtualTime {
  const start = Date.UTC(2026, 0, 1);
  const timers = new TinyQueue<Timer>([], (a, b) => a.dueAt - b.dueAt || a.number - b.number);
  let elapsed = 0;
  let number = 0;
  let waiting = 0;

  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, action) {
      const timer: Timer = { dueAt: elapsed + Math.max(ms, 0), number: number++, action };
      timers.push(timer);
      waiting++;
      return () => {
        if (timer.action !== undefined) waiting--;
        timer.action = undefined;
      };
    },
    async pass(ms) {
      const end = elapsed + ms;
      await settle();
      for (
        let next = timers.peek();
        next !== undefined && next.dueAt <= end;
        next = timers.peek()
      ) {
        elapsed = next.dueAt;
        let isIdle = true;
        while (timers.length > 0 && timers.peek()!.dueAt === elapsed) {
          const { action } = timers.peek()!;
          timers.pop()!.action = undefined;
          if (action === undefined) continue;
          waiting--;
          isIdle = false;
          action();
        }
        if (!isIdle) await settle();
      }
      elapsed = end;
    },
    get timers() {
      return waiting;
    },
  };
}

/** Lets everything that has been promised come to pass. */
export function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
