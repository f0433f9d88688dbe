import { LRUCache } from "lru-cache";

/** Something to remember, and for how long. */
export interface Lease<T> {
  readonly value: T;
  /** Milliseconds; 0: not at all. */
  readonly maxAgeMs: number;
}

interface Entry<T> {
  readonly value: T;
  readonly expiresAt: number;
}

/**
 * Remembers what loading gave, each entry for its own time. Concurrent loads of
 * one key are one load.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ExpiringCache } from "./expiring_cache.ts";
 *
 * const cache = new ExpiringCache<string>({ maxEntries: 10, now: () => 0 });
 * const load = () => Promise.resolve({ value: "fresh", maxAgeMs: 1000 });
 * assertEquals(await cache.get("key", load), "fresh");
 * ```
 */
export class ExpiringCache<T> {
  readonly #entries: LRUCache<string, Entry<T>>;
  readonly #loading = new Map<string, Promise<T>>();
  readonly #now: () => number;

  /**
   * @param options.maxEntries The least recently used entry makes room.
   * @param options.now Milliseconds that never jump.
   */
  constructor(options: { maxEntries: number; now: () => number }) {
    this.#entries = new LRUCache({ max: options.maxEntries });
    this.#now = options.now;
  }

  /** What is remembered and still fresh, without loading. */
  peek(key: string): T | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expiresAt > this.#now() ? entry.value : undefined;
  }

  /** What was remembered last, however old. */
  peekStale(key: string): T | undefined {
    return this.#entries.get(key)?.value;
  }

  /**
   * Gives what is remembered, or loads it.
   *
   * @param load Told the value remembered last, however old. What it throws is
   * thrown to everyone who waits, and not remembered.
   */
  get(key: string, load: (previous: T | undefined) => Promise<Lease<T>>): Promise<T> {
    const fresh = this.peek(key);
    if (fresh !== undefined) return Promise.resolve(fresh);
    const underWay = this.#loading.get(key);
    if (underWay !== undefined) return underWay;
    const loading = this.#load(key, load).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  /** Forgets that an entry is fresh; {@linkcode get} will load it anew. */
  expire(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#entries.set(key, { ...entry, expiresAt: -Infinity });
  }

  async #load(key: string, load: (previous: T | undefined) => Promise<Lease<T>>): Promise<T> {
    const { value, maxAgeMs } = await load(this.#entries.get(key)?.value);
    this.#entries.set(key, { value, expiresAt: this.#now() + maxAgeMs });
    return value;
  }
}
