/** What the own homeserver knows of a user's delayed event (MSC4140). */

import type { Secret } from "../secret.ts";

/** A delayed event that is scheduled. */
export interface DelayedEvent {
  readonly roomId: string;
  /** Milliseconds, 1 to 86 400 000: a longer delay counts as a day. */
  readonly delayMs: number;
}

/**
 * Looks a delayed event up.
 *
 * @param delayId One segment of a path once it is percent-encoded, and no dot segment.
 * @param userId Whose event it has to be.
 * @returns `undefined` when the homeserver says that this user has no such event, or no longer.
 * @throws {UpstreamError} When there was no clear answer in time.
 */
export type FindDelayedEvent = (
  delayId: Secret,
  userId: string,
  timeoutMs: number,
) => Promise<DelayedEvent | undefined>;
