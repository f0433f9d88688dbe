/**
 * Time as the service sees it. Everything in lib/ that waits or measures takes
 * one as a parameter, so that tests move time instead of sleeping.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch; jumps when the system's clock is set. */
  now(): number;
  /** Milliseconds since some fixed moment; never jumps. For deadlines and ages. */
  monotonic(): number;
  /**
   * Calls `action` once after `ms` milliseconds.
   *
   * @returns A function that calls it off; harmless afterwards.
   */
  after(ms: number, action: () => void): () => void;
}
