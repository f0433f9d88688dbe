/** What one client may cause. */

import type { Clock } from "../clock.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import { OnceAMinute } from "./once_a_minute.ts";
import { RateLimitedError } from "./rate_limited_error.ts";
import type { WindowCounter } from "./window_counter.ts";

/** What a request that fails verification costs in all; others cost 1. */
export const COST_OF_FAILURE = 10;

/** Counts what clients cause. They are named by their addresses' blocks. */
export interface ClientLimit {
  /**
   * Takes the cost of a request, before anything is done for it.
   *
   * @throws {RateLimitedError}
   */
  admit(client: string): void;
  /** Takes what failing costs more, of a request that was admitted. */
  penalize(client: string): void;
  /**
   * Takes the whole cost of a request that has failed where requests are not counted otherwise.
   *
   * @throws {RateLimitedError}
   */
  refuse(client: string): void;
}

/** What the limit needs. */
export interface ClientLimitOptions {
  readonly counter: WindowCounter;
  readonly pseudonym: Pseudonym;
  readonly clock: Clock;
}

/** Makes the limit. */
export function createClientLimit(options: ClientLimitOptions): ClientLimit {
  const { counter, pseudonym } = options;
  const logged = new OnceAMinute(options.clock);

  function take(client: string, cost: number): void {
    const msLeft = counter.take(client, cost);
    if (msLeft === 0) return;
    throw new RateLimitedError("client", pseudonym(client), logged.isNew(client), msLeft);
  }

  return {
    admit: (client) => take(client, 1),
    penalize: (client) => counter.add(client, COST_OF_FAILURE - 1),
    refuse: (client) => take(client, COST_OF_FAILURE),
  };
}
