import type { Clock } from "./clock.ts";

/** Deadlines are kept in steps of this length: none fires early, none more than a step late. */
const STEP_MS = 25;

/**
 * Makes the real clock. Only main.ts and tools use it; all else takes a
 * {@linkcode Clock}.
 *
 * Nearly every deadline of a busy service is called off before it passes, and a
 * timer of the runtime costs 4 µs to set and clear. So deadlines of one step
 * share one timer: setting and calling one off is a change to a set.
 *
 * @example
 * ```ts
 * import { createSystemClock } from "./system_clock.ts";
 *
 * const clock = createSystemClock();
 * await new Promise<void>((resolve) => clock.after(10, resolve));
 * ```
 */
export function createSystemClock(): Clock {
  const steps = new Map<number, Set<() => void>>();

  function fire(step: number): void {
    const actions = steps.get(step);
    steps.delete(step);
    for (const action of actions ?? []) {
      try {
        action();
      } catch (error) {
        // A fault of one must not keep the others waiting for ever.
        reportError(error);
      }
    }
  }

  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(ms, action) {
      const now = performance.now();
      // Longer waits would overflow the runtime's timers, which then fire at once.
      const step = Math.ceil((now + Math.min(Math.max(ms, 0), 2 ** 31 - 1 - STEP_MS)) / STEP_MS);
      let actions = steps.get(step);
      if (actions === undefined) {
        actions = new Set();
        steps.set(step, actions);
        setTimeout(fire, Math.ceil(step * STEP_MS - now), step);
      }
      // The same function may be waiting twice, so the set holds a wrapper of its own for each.
      const entry = () => action();
      actions.add(entry);
      return () => void actions.delete(entry);
    },
  };
}
