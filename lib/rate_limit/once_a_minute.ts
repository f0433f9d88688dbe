import type { Clock } from "../clock.ts";

const MINUTE_MS = 60_000;

/** Tells what is new in a minute from what was seen in it already. */
export class OnceAMinute {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #seen = new Set<string>();
  #startedAt = -Infinity;

  /** @param max Of more in one minute, none is new: a flood must not fill the log by other means. */
  constructor(clock: Clock, max = 100) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Whether a key has not been asked about yet in the minute that runs. */
  isNew(key: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#startedAt >= MINUTE_MS) {
      this.#startedAt = now;
      this.#seen.clear();
    }
    if (this.#seen.has(key) || this.#seen.size >= this.#max) return false;
    this.#seen.add(key);
    return true;
  }
}
