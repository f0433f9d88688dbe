/** Whether Redis can be used right now. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { withDeadline } from "../../deadline.ts";
import { describeError, hopFact } from "../../observability/logger.ts";
import { StoreError } from "../store.ts";

interface Outage {
  readonly since: number;
  readonly error: StoreError;
  readonly over: Promise<void>;
  readonly end: () => void;
}

/** The outage that there is, if there is one; its beginning and end are one line each in the log. */
export class RedisOutage {
  readonly #clock: Clock;
  readonly #log: Logger;
  #current: Outage | undefined;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Why Redis cannot be used; `undefined` while it can. */
  get error(): StoreError | undefined {
    return this.#current?.error;
  }

  /** Notes that Redis cannot be used; what comes after the first time changes nothing. */
  begin(error: unknown): void {
    if (this.#current !== undefined) return;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    this.#current = {
      since: this.#clock.monotonic(),
      error: error instanceof StoreError
        ? error
        : new StoreError("answer", "Redis cannot be used", { cause: error }),
      over,
      end,
    };
    this.#log.warning(
      `Redis cannot be used, jobs go on without: ${describeError(error)}`,
      hopFact(error),
    );
  }

  /** Notes that Redis can be used, and returns whether that is news. */
  end(): boolean {
    const outage = this.#current;
    if (outage === undefined) return false;
    this.#current = undefined;
    outage.end();
    const ms = Math.round(this.#clock.monotonic() - outage.since);
    this.#log.info("Redis can be used again", { ms });
    return true;
  }

  /**
   * Waits for the end of a young outage: a restart of Redis shall be no error to
   * anybody.
   *
   * @param longestMs How old an outage may get while one waits for its end.
   * @throws {StoreError} Why Redis cannot be used.
   */
  async waitForEnd(longestMs: number): Promise<void> {
    const outage = this.#current;
    if (outage === undefined) return;
    const left = outage.since + longestMs - this.#clock.monotonic();
    if (left <= 0) throw outage.error;
    await withDeadline(outage.over, left, this.#clock, () => outage.error);
  }
}
