const FIRST_MS = 1_000;
const FACTOR = 1.5;

/**
 * How long to wait before looking for a participant once more.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { nextLookMs } from "./next_look.ts";
 *
 * assertEquals([1, 2, 3, 30].map((n) => nextLookMs(n, 10_000, 0.5)), [1_000, 1_500, 2_250, 10_000]);
 * ```
 *
 * @param looks How many there have been, ≥ 1.
 * @param longestMs No wait is longer.
 * @param random A number in [0, 1): half as long to half as long again.
 */
export function nextLookMs(looks: number, longestMs: number, random: number): number {
  return Math.min(FIRST_MS * FACTOR ** (looks - 1) * (0.5 + random), longestMs);
}
