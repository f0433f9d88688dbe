import type { Clock } from "../../../lib/clock.ts";

/** The time of one process, which can die. */
export interface ProcessClock extends Clock {
  /** How many actions wait. */
  readonly timers: number;
  /** Nothing that waits will happen, nor anything that is set from now on. */
  kill(): void;
}

/**
 * Makes the clock of a process within a test's own. In whole milliseconds, as
 * a system's timers are.
 */
export function createProcessClock(clock: Clock): ProcessClock {
  const waiting = new Set<() => void>();
  let isDead = false;
  return {
    now: clock.now,
    monotonic: clock.monotonic,
    after(ms, action) {
      if (isDead) return () => {};
      const cancel = clock.after(Math.ceil(ms), () => {
        waiting.delete(cancel);
        action();
      });
      waiting.add(cancel);
      return () => {
        waiting.delete(cancel);
        cancel();
      };
    },
    get timers() {
      return waiting.size;
    },
    kill() {
      isDead = true;
      for (const cancel of waiting) cancel();
      waiting.clear();
    },
  };
}
