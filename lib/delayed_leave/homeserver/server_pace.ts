/** Faster than this is as good as without a limit. */
const MAX_PER_SECOND = 1_000;
const SLOWER = 0.7;
/** What each request that is taken adds to the rate, which so grows by a tenth in a second, */
const FASTER_PER_SECOND = 0.1;
/** but by half in the beginning, when little is known of where the limit lies. */
const FASTER_AT_FIRST_PER_SECOND = 0.5;
/** How far back it counts what a server has taken. */
const MEMORY_MS = 1_000;
/** Requests of so much time may go together, since no clock wakes us for each. */
const BURST_MS = 50;
const LONGEST_PAUSE_MS = 3_600_000;

/**
 * How fast one server may be asked, learnt from its 429s. It limits by address
 * and not by user, so what one action is told holds for all. (Calls with a token
 * it limits by user, but rarely at all; they have a pace of their own.)
 *
 * Without 429s there is no limit. With one there is a pause, as long as told,
 * and then a rate: what the server has taken before. Each request that is taken
 * raises it a little, each 429 lowers it. All times are milliseconds of a clock
 * that never jumps.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ServerPace } from "./server_pace.ts";
 *
 * const pace = new ServerPace();
 * assertEquals(pace.opensAt(0), 0);
 * pace.onLimited(0, 0, 3_000);
 * assertEquals(pace.opensAt(0), 3_000);
 * ```
 */
export class ServerPace {
  #pausedUntil = 0;
  #perSecond = Infinity;
  #fasterPerSecond = FASTER_AT_FIRST_PER_SECOND;
  /** How many requests may begin, as of a moment. */
  #tokens = 0;
  #tokensAt = 0;
  /** Requests taken a second, older ones fading, as of a moment. */
  #taken = 0;
  #takenAt = 0;
  #slowedAt = -Infinity;

  /** Requests a second; Infinity without a limit. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Whether there is anything to remember of the server. */
  isFree(now: number): boolean {
    return this.#perSecond === Infinity && this.#pausedUntil <= now;
  }

  /** When the next request may begin; `now` if it may already. */
  opensAt(now: number): number {
    const pausedUntil = Math.max(this.#pausedUntil, now);
    if (this.#perSecond === Infinity) return pausedUntil;
    const missing = 1 - this.#tokensIn(now);
    return missing <= 0 ? pausedUntil : Math.max(pausedUntil, now + missing / this.#perMs);
  }

  /** A request begins. */
  begin(now: number): void {
    if (this.#perSecond === Infinity) return;
    this.#tokens = Math.max(this.#tokensIn(now) - 1, 0);
    this.#tokensAt = Math.max(now, this.#tokensAt);
  }

  /** The server has done what it was asked, or has said that it never will. */
  onTaken(now: number): void {
    this.#taken = this.#takenBy(now) + 1_000 / MEMORY_MS;
    this.#takenAt = now;
    if (this.#perSecond === Infinity) return;
    this.#tokens = this.#tokensIn(now);
    this.#tokensAt = Math.max(now, this.#tokensAt);
    this.#perSecond += this.#fasterPerSecond;
    if (this.#perSecond > MAX_PER_SECOND) this.#perSecond = Infinity;
  }

  /**
   * The server has answered 429.
   *
   * @param retryAfterMs For how long not to ask, > 0.
   * @param begunAt When the request began: those that were under way together
   * say the same thing once.
   */
  onLimited(now: number, begunAt: number, retryAfterMs: number): void {
    const pauseMs = Math.min(retryAfterMs, LONGEST_PAUSE_MS);
    this.#pausedUntil = Math.max(this.#pausedUntil, now + pauseMs);
    if (begunAt > this.#slowedAt) {
      this.#slowedAt = now;
      this.#fasterPerSecond = this.#perSecond === Infinity
        ? FASTER_AT_FIRST_PER_SECOND
        : FASTER_PER_SECOND;
      const slower = Math.min(this.#perSecond * SLOWER, this.#takenBy(now));
      // Who says when to come back expects one at least.
      this.#perSecond = Math.min(Math.max(slower, 1_000 / pauseMs), MAX_PER_SECOND);
    }
    // The first one after the pause need not wait any longer.
    this.#tokens = 1;
    this.#tokensAt = this.#pausedUntil;
  }

  get #perMs(): number {
    return this.#perSecond / 1_000;
  }

  #tokensIn(now: number): number {
    const gained = Math.max(now - this.#tokensAt, 0) * this.#perMs;
    return Math.min(this.#tokens + gained, Math.max(1, BURST_MS * this.#perMs));
  }

  #takenBy(now: number): number {
    return this.#taken * Math.exp((this.#takenAt - now) / MEMORY_MS);
  }
}
