/** When a replica looks at Redis. */

import type { Clock } from "../../clock.ts";

/** What rounds need. */
export interface RoundsDeps {
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** The time from one round to the next while all is well; milliseconds. */
  readonly everyMs: number;
  /**
   * One round. Returns whether another is needed at once.
   *
   * @throws {unknown} When the next one is to be after a pause that grows.
   */
  readonly run: () => Promise<boolean>;
}

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** Whoever has reasons in quick succession causes no more rounds than this. */
const MIN_PAUSE_MS = 25;

/** Rounds, one at a time: regular ones, those that somebody wants, and retries. */
export class Rounds {
  readonly #deps: RoundsDeps;
  #isRunning = false;
  #isStopped = false;
  #isWanted = false;
  #failures = 0;
  /** When the next one is due, on the monotonic clock. */
  #nextAt = Infinity;
  #cancel = () => {};

  constructor(deps: RoundsDeps) {
    this.#deps = deps;
  }

  /** The first round is due after the usual time. */
  start(): void {
    this.#schedule(this.#deps.everyMs);
  }

  /** Somebody has a reason to look soon. After a failure, it is when the next try is due. */
  want(): void {
    this.#isWanted = true;
    if (this.#failures === 0) this.#schedule(MIN_PAUSE_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #schedule(ms: number): void {
    const { clock } = this.#deps;
    const at = clock.monotonic() + ms;
    if (this.#isStopped || this.#isRunning || this.#nextAt <= at) return;
    this.#cancel();
    this.#nextAt = at;
    this.#cancel = clock.after(ms, () => this.#run());
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#isWanted = false;
    let pauseMs: number;
    try {
      const again = await this.#deps.run();
      this.#failures = 0;
      pauseMs = again || this.#isWanted ? MIN_PAUSE_MS : this.#deps.everyMs;
    } catch {
      pauseMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
      // Replicas that lost the same server must not come back in step.
      pauseMs *= 0.5 + this.#deps.random() / 2;
    }
    this.#isRunning = false;
    this.#nextAt = Infinity;
    this.#schedule(pauseMs);
  }
}
