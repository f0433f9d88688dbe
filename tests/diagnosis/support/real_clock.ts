import type { Clock } from "../../../lib/clock.ts";

/**
 * Real time, for work over real sockets: each deadline has a timer of its own, which goes when it
 * is called off, so that a test leaves none behind.
 */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};
