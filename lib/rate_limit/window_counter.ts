/** Counts what each key takes, in windows of one length that begin with a key's first request. */

import type { Clock } from "../clock.ts";

/** What a counter allows. */
export interface WindowOptions {
  /** What one key may take in a window. */
  readonly limit: number;
  readonly windowMs: number;
  /** The key whose window began first makes room. */
  readonly maxKeys: number;
  readonly clock: Clock;
  /** Told of each key that has taken something. */
  readonly onTaken?: (key: string) => void;
}

/** What other processes have counted, too. */
export interface SharedCount {
  /** What all have taken in the window. */
  readonly total: number;
  /** Until the window ends; milliseconds. */
  readonly msLeft: number;
}

interface Window {
  taken: number;
  /** The part of it that others have not been told of. */
  untold: number;
  endsAt: number;
}

/**
 * The counts of one limit, in memory.
 *
 * Its own code, as libraries set a timer for each key, keep as many keys as there are, and read
 * the system's clock: see docs/dependencies.md.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { WindowCounter } from "./window_counter.ts";
 *
 * const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
 * const counter = new WindowCounter({ limit: 2, windowMs: 1000, maxKeys: 10, clock });
 * assertEquals(["a", "a", "a", "b"].map((key) => counter.take(key, 1)), [0, 0, 1000, 0]);
 * ```
 */
export class WindowCounter {
  // In the order of their beginnings, which is that of their ends, as all have one length.
  readonly #windows = new Map<string, Window>();
  readonly #options: WindowOptions;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#windows.size;
  }

  /** The length of a window; milliseconds. */
  get windowMs(): number {
    return this.#options.windowMs;
  }

  /**
   * Takes something if the limit allows it.
   *
   * @returns 0, or how many milliseconds it takes until the window ends.
   */
  take(key: string, cost: number): number {
    const now = this.#options.clock.monotonic();
    const window = this.#find(key, now);
    if (window.taken + cost > this.#options.limit) return window.endsAt - now;
    this.#count(key, window, cost);
    return 0;
  }

  /** Counts something that has happened already, whatever the limit. */
  add(key: string, cost: number): void {
    this.#count(key, this.#find(key, this.#options.clock.monotonic()), cost);
  }

  /** What others are to be told of a key; from now on they are taken to have been. */
  tell(key: string): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.endsAt <= this.#options.clock.monotonic()) return 0;
    const { untold } = window;
    window.untold = 0;
    return untold;
  }

  /** Takes in what was counted elsewhere; never less than what was counted here. */
  learn(key: string, { total, msLeft }: SharedCount): void {
    const now = this.#options.clock.monotonic();
    const window = this.#windows.get(key);
    if (window === undefined || window.endsAt <= now) return;
    window.taken = Math.max(window.taken, total + window.untold);
    window.endsAt = now + Math.min(Math.max(msLeft, 0), this.#options.windowMs);
  }

  #count(key: string, window: Window, cost: number): void {
    window.taken += cost;
    window.untold += cost;
    this.#options.onTaken?.(key);
  }

  #find(key: string, now: number): Window {
    const known = this.#windows.get(key);
    if (known !== undefined && known.endsAt > now) return known;
    this.#windows.delete(key);
    for (const [oldest, { endsAt }] of this.#windows) {
      if (endsAt > now && this.#windows.size < this.#options.maxKeys) break;
      this.#windows.delete(oldest);
    }
    const window = { taken: 0, untold: 0, endsAt: now + this.#options.windowMs };
    this.#windows.set(key, window);
    return window;
  }
}
