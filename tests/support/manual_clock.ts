import type { Clock } from "../../lib/clock.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Moves time on and runs what becomes due, each action at its own moment and
   * in order of time, those of one moment in the order they were set in. What
   * such an action sets runs too, if it falls due within the same span.
   *
   * Promises settle after this returns: await something before you look.
   */
  advance(ms: number): void;
  /** Sets the time of day, as an operator or NTP does. Deadlines do not notice. */
  setNow(now: number): void;
  /** Milliseconds until each waiting action, the next one first. */
  readonly pending: readonly number[];
  /**
   * Resolves once an action waits that is due in exactly so many milliseconds:
   * how a test learns that the code under test has come that far.
   */
  waitForTimer(ms: number): Promise<void>;
}

interface Timer {
  readonly dueAt: number;
  readonly action: () => void;
}

/**
 * Makes a clock that is moved by hand.
 *
 * @example A deadline passes without anybody waiting for it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createManualClock } from "./manual_clock.ts";
 *
 * const clock = createManualClock();
 * let isLate = false;
 * clock.after(5_000, () => isLate = true);
 * clock.advance(4_999);
 * assertEquals([isLate, clock.pending], [false, [1]]);
 * clock.advance(1);
 * assertEquals([isLate, clock.pending], [true, []]);
 * ```
 *
 * @param now Where the time of day starts; `monotonic()` starts at 0.
 */
export function createManualClock(now = Date.UTC(2026, 0, 1)): ManualClock {
  let elapsed = 0;
  let offset = now;
  const timers: Timer[] = [];
  const awaited = new Set<{ ms: number; resolve: () => void }>();

  const pending = () => timers.map(({ dueAt }) => dueAt - elapsed);
  const tellWaiting = () => {
    for (const entry of awaited) {
      if (!pending().includes(entry.ms)) continue;
      awaited.delete(entry);
      entry.resolve();
    }
  };
  return {
    now: () => offset + elapsed,
    monotonic: () => elapsed,
    after(ms, action) {
      const timer = { dueAt: elapsed + Math.max(ms, 0), action };
      const later = timers.findIndex(({ dueAt }) => dueAt > timer.dueAt);
      timers.splice(later === -1 ? timers.length : later, 0, timer);
      tellWaiting();
      return () => {
        const at = timers.indexOf(timer);
        if (at !== -1) timers.splice(at, 1);
      };
    },
    advance(ms) {
      const end = elapsed + ms;
      while (timers.length > 0 && timers[0]!.dueAt <= end) {
        const { dueAt, action } = timers.shift()!;
        elapsed = dueAt;
        action();
      }
      elapsed = end;
      tellWaiting();
    },
    setNow(value) {
      offset = value - elapsed;
    },
    get pending() {
      return pending();
    },
    waitForTimer: (ms) =>
      new Promise((resolve) => {
        awaited.add({ ms, resolve });
        tellWaiting();
      }),
  };
}
