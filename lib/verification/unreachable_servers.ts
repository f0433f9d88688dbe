import { LRUCache } from "lru-cache";
import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";

interface Failure {
  readonly error: UpstreamError;
  readonly count: number;
  readonly until: number;
}

const MAX_SERVERS = 10_000;

/**
 * Remembers for a while which servers could not be reached, so that their users
 * get an answer at once and their addresses some peace.
 */
export class UnreachableServers {
  readonly #failures = new LRUCache<string, Failure>({ max: MAX_SERVERS });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws {UpstreamError} While a server is not to be tried again. */
  check(serverName: string): void {
    const failure = this.#failures.get(serverName);
    if (failure === undefined) return;
    const seconds = (failure.until - this.#clock.monotonic()) / 1000;
    if (seconds <= 0) return;
    const { hop, message } = failure.error;
    throw new UpstreamError(hop, `${message} (not tried again for ${seconds.toFixed(1)} s)`);
  }

  /**
   * @param firstMs How long the first failure in a row is remembered; each
   * further one twice as long as the one before.
   * @param longestMs The end of that doubling.
   */
  add(serverName: string, error: UpstreamError, firstMs: number, longestMs: number): void {
    const previous = this.#failures.get(serverName);
    // Requests that were under way together fail together: that is one failure.
    if (previous !== undefined && previous.until > this.#clock.monotonic()) return;
    const count = (previous?.count ?? 0) + 1;
    const ms = Math.min(firstMs * 2 ** (count - 1), longestMs);
    this.#failures.set(serverName, { error, count, until: this.#clock.monotonic() + ms });
  }

  /** The server answered. */
  remove(serverName: string): void {
    this.#failures.delete(serverName);
  }
}
