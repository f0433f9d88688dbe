import type { RedisServer } from "./redis.ts";

/** lk-jwt-service's name for it, and ours. */
const JOBS = "lk-jwt:jobs";
/** Redis tells nobody by itself. */
const POLL_MS = 100;
const WAIT_TIMEOUT_MS = 20_000;

/**
 * Resolves when Redis keeps so many jobs.
 *
 * @throws {Error} When it does not in time.
 */
export async function untilStored(redis: RedisServer, count: number): Promise<void> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS;
  for (;;) {
    const stored = await redis.command("HLEN", JOBS);
    if (stored === count) return;
    if (performance.now() > deadline) {
      throw new Error(`Redis keeps ${stored} jobs and not ${count} after ${WAIT_TIMEOUT_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
