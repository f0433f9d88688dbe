/** Tells other replicas what was counted here, and learns what was counted there. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { describeError } from "../observability/logger.ts";
import type { CountedPart, SharedCounts } from "./shared_counts.ts";
import type { WindowCounter } from "./window_counter.ts";

/** What it needs. */
export interface CountSyncOptions {
  readonly counts: SharedCounts;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether a failure will repeat itself for ever: it is not tried again then. */
  readonly isFinal: (error: unknown) => boolean;
}

/** From the end of one exchange to the next: what comes in between goes together. */
const PAUSE_MS = 25;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Keys of one exchange. */
const MAX_KEYS = 500;
/** Of more keys at once, some are told when they come again: that a flood does not add up here. */
const MAX_WAITING = 10_000;

/**
 * Keeps counters in step with those of other replicas.
 *
 * It goes on beside the requests, none of which waits for it: while nothing can be shared, each
 * replica counts for itself. Two replicas may let through a little more than one would: what
 * comes within a round trip and {@linkcode PAUSE_MS}.
 */
export class CountSync {
  readonly #options: CountSyncOptions;
  readonly #counters = new Map<string, WindowCounter>();
  /** Limit and key of what has been counted since the last exchange. */
  readonly #waiting = new Map<string, [limit: string, key: string]>();
  #state: "idle" | "busy" | "stopped" = "idle";
  #failures = 0;
  #retryAt = -Infinity;
  #cancelPause = () => {};

  constructor(options: CountSyncOptions) {
    this.#options = options;
  }

  /** Adds the counter of a limit, which reports to {@linkcode CountSync.note}. */
  add(limit: string, counter: WindowCounter): void {
    this.#counters.set(limit, counter);
  }

  /** Something was counted. */
  note(limit: string, key: string): void {
    if (this.#state === "stopped" || this.#waiting.size >= MAX_WAITING) return;
    if (this.#failures > 0 && this.#options.clock.monotonic() < this.#retryAt) return;
    this.#waiting.set(`${limit} ${key}`, [limit, key]);
    if (this.#state === "idle") void this.#exchange();
  }

  /** Nothing is shared any more. */
  stop(): void {
    this.#state = "stopped";
    this.#cancelPause();
    this.#waiting.clear();
    this.#options.counts.close();
  }

  async #exchange(): Promise<void> {
    this.#state = "busy";
    const parts = this.#takeParts();
    try {
      const wholes = await this.#options.counts.add(parts);
      for (const [n, { limit, key }] of parts.entries()) {
        const whole = wholes[n];
        if (whole !== undefined) this.#counters.get(limit)?.learn(key, whole);
      }
      this.#succeed();
    } catch (error) {
      this.#fail(error);
    }
    if (this.#isStopped()) return;
    this.#cancelPause = this.#options.clock.after(PAUSE_MS, () => {
      this.#state = "idle";
      if (this.#waiting.size > 0) void this.#exchange();
    });
  }

  /** It may have been stopped while something was awaited. */
  #isStopped(): boolean {
    return this.#state === "stopped";
  }

  #takeParts(): CountedPart[] {
    const parts: CountedPart[] = [];
    for (const [name, [limit, key]] of this.#waiting) {
      if (parts.length >= MAX_KEYS) break;
      this.#waiting.delete(name);
      const counter = this.#counters.get(limit)!;
      const count = counter.tell(key);
      if (count > 0) parts.push({ limit, key, count, windowMs: counter.windowMs });
    }
    return parts;
  }

  #succeed(): void {
    if (this.#failures === 0 || this.#isStopped()) return;
    this.#failures = 0;
    this.#options.log.info("rate limits are shared through Redis again");
  }

  #fail(error: unknown): void {
    if (this.#isStopped()) return;
    const { clock, isFinal, log } = this.#options;
    if (this.#failures === 0) {
      log.warning(
        "rate limits cannot be shared through Redis, each replica counts for itself: " +
          describeError(error),
      );
    }
    if (isFinal(error)) return this.stop();
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
    this.#retryAt = clock.monotonic() + pauseMs;
    this.#waiting.clear();
  }
}
