const FIRST_MS = 200;
const FACTOR = 1.5;
const LONGEST_MS = 60_000;
/** No wait may take a larger part of the time that is left. */
const PART_OF_TIME_LEFT = 1 / 8;

/**
 * How long to wait after a failure. Attempts are dense at first and thin out,
 * but come closer together again as the time runs out: of ten attempts that fail
 * three times in ten, one more is worth more than peace.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { retryDelayMs } from "./backoff.ts";
 *
 * assertEquals([1, 2, 3].map((n) => retryDelayMs(n, 3_600_000, 0.5)), [200, 300, 450]);
 * assertEquals(retryDelayMs(12, 8_000, 0.5), 1_000);
 * ```
 *
 * @param failures How many there have been in a row, ≥ 1.
 * @param msLeft Milliseconds until trying ends.
 * @param random A number in [0, 1): half as long to half as long again.
 * @returns Milliseconds, 100 to 60 000.
 */
export function retryDelayMs(failures: number, msLeft: number, random: number): number {
  const ms = FIRST_MS * FACTOR ** (failures - 1) * (0.5 + random);
  return Math.min(ms, LONGEST_MS, Math.max(FIRST_MS, msLeft * PART_OF_TIME_LEFT));
}
