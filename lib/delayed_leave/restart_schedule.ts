/** When things are done with a delayed event. All times are milliseconds. */

import { MAX_SHORT_TTL_SECONDS } from "../signing/join_token.ts";
import type { Patience } from "./arrival_check.ts";
import type { Job } from "./job.ts";

/** A restart comes this late at the latest, as a part of the delay; a clock's step is still to come. */
const LATEST_PART = 0.84;
/** So long before the end, unless that were in the first half: time for several attempts. */
const EARLY_MS = 20_000;
/** Restarts are spread over this part of the delay. */
const SPREAD_PART = 0.1;
/**
 * Who has been given a token by the homeserver's leave may come within its lifetime, however short
 * the delay is: until then the event is kept alive for them.
 */
const JOIN_TOKEN_MS = MAX_SHORT_TTL_SECONDS * 1000;
/** No job is restarted more than four times a second. */
const SHORTEST_MS = 250;
const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;

/**
 * How long after one restart the next one begins: in the second half of the
 * delay, at about 80 % of long ones, and spread, so that those who joined
 * together do not go in step for ever.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { restartAfterMs } from "./restart_schedule.ts";
 *
 * assertEquals(restartAfterMs(60_000, () => 0), 40_000);
 * assertEquals(restartAfterMs(60_000, () => 0.5), 37_000);
 * ```
 *
 * @param delayTimeoutMs The event's delay, ≥ 1.
 * @param random Gives a number in [0, 1).
 * @returns At least 250; for longer delays 50 % to 84 % of them.
 */
export function restartAfterMs(delayTimeoutMs: number, random: () => number): number {
  const latestMs = Math.min(
    delayTimeoutMs * LATEST_PART,
    Math.max(delayTimeoutMs - EARLY_MS, delayTimeoutMs * (0.5 + SPREAD_PART)),
  );
  return Math.max(latestMs - random() * SPREAD_PART * delayTimeoutMs, SHORTEST_MS);
}

/**
 * How long to wait for a participant who has not joined yet. A stand-alone job
 * waits for the delay, an hour at most, and no longer than the event lives. One
 * through the homeserver keeps the event alive, and so has to end by itself.
 *
 * @param now Milliseconds of the monotonic clock.
 * @param deadline When the homeserver sends the event by itself, unless it is restarted.
 */
export function patienceOf(
  { isThroughHomeserver }: Pick<Job, "isThroughHomeserver">,
  now: number,
  deadline: number,
): Patience {
  if (isThroughHomeserver === true) {
    return { until: now + JOIN_TOKEN_MS, untilAtMost: now + HOUR_MS };
  }
  return { until: Math.min(deadline, now + HOUR_MS), untilAtMost: deadline };
}

/**
 * How long a leave is tried to be sent.
 *
 * @param msToDeadline Until the homeserver sends it by itself; may be negative.
 * @returns The same, but a second at least and an hour at most.
 */
export function sendBudgetMs(msToDeadline: number): number {
  return Math.min(Math.max(msToDeadline, SECOND_MS), HOUR_MS);
}
