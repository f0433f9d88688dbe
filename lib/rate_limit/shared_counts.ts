/** What replicas have counted together. */

import type { SharedCount } from "./window_counter.ts";

/** What one replica has counted of one key. */
export interface CountedPart {
  /** Of which limit; a word. */
  readonly limit: string;
  readonly key: string;
  readonly count: number;
  readonly windowMs: number;
}

/** Adds up what replicas count. */
export interface SharedCounts {
  /**
   * Adds parts, and returns the whole of each.
   *
   * @throws {StoreError} When it is not known whether they were added.
   */
  add(parts: readonly CountedPart[]): Promise<readonly SharedCount[]>;
  close(): void;
}
